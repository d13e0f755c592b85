-- Finds a session of the operators' site and records that it was used. A session that was ended is not created again.
--   KEYS  session
--   ARGV  idleMs
--   →     the fields of the session as a list | nil: there is no such session, or its time is over
--@include now
local endsAt, now = tonumber(redis.call('HGET', sessionKey, 'endsAt') or '0'), clock()
if now >= endsAt then
  redis.call('DEL', sessionKey)
  return false
end
redis.call('HSET', sessionKey, 'lastSeenAt', now)
redis.call('PEXPIRE', sessionKey, math.min(tonumber(idleMs), endsAt - now))
local fields = redis.call('HGETALL', sessionKey)
return fields
