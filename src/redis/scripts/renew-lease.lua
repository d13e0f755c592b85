-- Renews this attempt's lease and, if its verification is admitted, its admission.
--   KEYS  lock job stalled journal admitted
--   ARGV  token ats leaseMs id
--   →     ok | lost (or erased) | cancel (renewed, but the caller has cancelled the verification)
--@include now
--@include fence
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local cancelled, open, erased = unpack(redis.call('HMGET', journalKey, 'cancel', 'open', 'erased'))
if erased then return 'lost' end
redis.call('SET', lockKey, token, 'PX', leaseMs)
redis.call('SREM', stalledKey, id)
redis.call('ZADD', admittedKey, 'XX', clock() + tonumber(leaseMs), id)
if cancelled and not open then return 'cancel' end
return 'ok'
