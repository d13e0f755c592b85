-- A held verification goes on: at once, with its attempts and rewinds counted anew, and with time enough to do so.
local function release(journalKey, heldKey, id, now, leastMs)
  local deadline = tonumber(redis.call('HGET', journalKey, 'deadline'))
  redis.call('HSET', journalKey, 'state', 'delayed', 'notBefore', now, 'deadline', math.max(deadline, now + leastMs),
    'gen0', redis.call('HGET', journalKey, 'gen'))
  redis.call('HDEL', journalKey, 'heldUntil', 'reason', 'a:upload', 'a:md5', 'a:detect', 'a:download')
  redis.call('ZREM', heldKey, id)
end
