-- Records that the stored frame, and what a session stored besides it, was deleted.
--   KEYS  journal history frames
--   ARGV  id entry
--   →     ok | missing
-- Idempotent.
--@include history
redis.call('ZREM', framesKey, id)
local frame, media = unpack(redis.call('HMGET', journalKey, 'frame', 'media'))
if frame ~= 'stored' and not media then return 'missing' end
if frame == 'stored' then redis.call('HSET', journalKey, 'frame', 'deleted') end
redis.call('HDEL', journalKey, 'stored', 'media')
remember(historyKey, entry)
return 'ok'
