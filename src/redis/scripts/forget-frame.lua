-- Records that the stored frame was deleted.
--   KEYS  journal history frames
--   ARGV  id entry
--   →     ok | missing
-- Idempotent.
--@include history
redis.call('ZREM', framesKey, id)
if redis.call('HGET', journalKey, 'frame') ~= 'stored' then return 'missing' end
redis.call('HSET', journalKey, 'frame', 'deleted')
redis.call('HDEL', journalKey, 'stored')
remember(historyKey, entry)
return 'ok'
