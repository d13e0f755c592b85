-- Declares that nobody knows what became of the open intent: its deadline passed without an outcome.
--   KEYS  journal, lock, job, history, counters
--   ARGV  token, ats, history entry
--   →     { 'unknown' | 'none' | 'lost' | 'ended', 0 } | { 'open', ms until its deadline }
--@include now
--@include fence
--@include terminal
--@include history
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return { 'lost', 0 } end
local seen = redis.call('HMGET', KEYS[1], 'state', 'open')
if not seen[1] or isTerminal(seen[1]) then return { 'ended', 0 } end
if not seen[2] then return { 'none', 0 } end
local open = cjson.decode(seen[2])
local left = open['until'] - clock()
if left > 0 then return { 'open', left } end
redis.call('HDEL', KEYS[1], 'open')
redis.call('HSET', KEYS[1], 'u:' .. open.iid, open.gen)
redis.call('HINCRBY', KEYS[1], 'maybe', 1)
redis.call('HINCRBY', KEYS[5], 'unknownOutcomes', 1)
remember(KEYS[4], ARGV[3])
return { 'unknown', 0 }
