-- Renews this attempt's lease, and with it its place among the admitted, where it has one.
--   KEYS  lock, job, stalled set, journal, admitted
--   ARGV  token, ats, lease ms, id
--   →     ok | lost (or erased) | cancel (renewed, and the caller wants it ended)
--@include now
--@include fence
if not holds(KEYS[1], KEYS[2], ARGV[1], ARGV[2]) then return 'lost' end
local seen = redis.call('HMGET', KEYS[4], 'cancel', 'open', 'erased')
if seen[3] then return 'lost' end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SREM', KEYS[3], ARGV[4])
redis.call('ZADD', KEYS[5], 'XX', clock() + tonumber(ARGV[3]), ARGV[4])
if seen[1] and not seen[2] then return 'cancel' end
return 'ok'
