-- Closes an open intent whose deadline has passed without an outcome, and counts its call as possibly paid.
--   KEYS  journal lock job history counters
--   ARGV  token ats entry
--   →     { 'unknown' | 'none' | 'lost' | 'ended', 0 } | { 'open', ms until the intent's deadline }
--@include now
--@include fence
--@include terminal
--@include history
if not ownsJob(lockKey, jobKey, token, ats) then return { 'lost', 0 } end
local state, openText = unpack(redis.call('HMGET', journalKey, 'state', 'open'))
if not state or isTerminal(state) then return { 'ended', 0 } end
if not openText then return { 'none', 0 } end
local open = cjson.decode(openText)
local left = open['until'] - clock()
if left > 0 then return { 'open', left } end
redis.call('HDEL', journalKey, 'open')
redis.call('HSET', journalKey, 'u:' .. open.iid, open.gen)
redis.call('HINCRBY', journalKey, (open.counts or '') .. 'maybe', 1)
redis.call('HINCRBY', countersKey, 'unknownOutcomes', 1)
remember(historyKey, entry)
return { 'unknown', 0 }
