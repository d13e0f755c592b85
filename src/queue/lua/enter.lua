-- A request by an API key: takes a place in the key's rate, and notes that the key was used.
--   KEYS  the key's record
--   ARGV  requests a second, how many of them may come at once
--   →     0: come in | > 0: ms until the next place | -1: there is no such key (any more)
--@include now
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local now, perSecond, burst = clock(), tonumber(ARGV[1]), tonumber(ARGV[2])
local each = 1000 / perSecond
local tat = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'tat') or '0'))
local wait = tat - (burst - 1) * each - now
if wait > 0 then return math.ceil(wait) end
redis.call('HSET', KEYS[1], 'tat', tostring(tat + each), 'usedAt', now)
return 0
