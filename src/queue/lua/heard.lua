-- What became of a call of an endpoint.
--   KEYS  endpoint
--   ARGV  who, ok | failed | gone, code, failures in a row before it rests, first and longest rest ms
--   →     rests | back (all is well again) | disabled | as it was
-- Idempotent by who. Of calls that went out before it rested, only a success counts.
--@include now
local seen = redis.call('HMGET', KEYS[1], 'disabled', 'until', 'prober', 'by')
if seen[1] then return 'as it was' end
if ARGV[2] == 'ok' then
  redis.call('DEL', KEYS[1])
  return seen[2] and 'back' or 'as it was'
end
local now = clock()
if ARGV[2] == 'gone' then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'disabled', now, 'code', ARGV[3])
  return 'disabled'
end
if seen[4] == ARGV[1] or (seen[2] and seen[3] ~= ARGV[1]) then return 'as it was' end
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'code', ARGV[3])
if redis.call('HINCRBY', KEYS[1], 'fails', 1) < tonumber(ARGV[4]) then return 'as it was' end
local rests = redis.call('HINCRBY', KEYS[1], 'rests', 1)
redis.call('HSET', KEYS[1], 'until', now + math.min(tonumber(ARGV[5]) * 2 ^ (rests - 1), tonumber(ARGV[6])))
redis.call('HDEL', KEYS[1], 'prober', 'proberUntil')
return 'rests'
