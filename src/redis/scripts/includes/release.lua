-- Releases a held verification, so that it may continue at once. The counts of attempts and rewinds start again. If less than
-- `leastMs` remains until the deadline, the deadline is moved.
local function release(journalKey, heldKey, id, now, leastMs)
  local deadline, generation = unpack(redis.call('HMGET', journalKey, 'deadline', 'gen'))
  redis.call('HSET', journalKey, 'state', 'delayed', 'notBefore', now,
    'deadline', math.max(tonumber(deadline), now + leastMs), 'gen0', generation)
  redis.call('HDEL', journalKey, 'heldUntil', 'reason', 'a:upload', 'a:md5', 'a:detect', 'a:download', 'a:start',
    'a:collect', 'a:opinion')
  redis.call('ZREM', heldKey, id)
end
