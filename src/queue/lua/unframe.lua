-- The frame was deleted from where it was stored.
--   KEYS  journal, history, frames
--   ARGV  id, history entry
--   →     ok | missing
-- Idempotent.
--@include history
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[1], 'frame') ~= 'stored' then return 'missing' end
redis.call('HSET', KEYS[1], 'frame', 'deleted')
redis.call('HDEL', KEYS[1], 'stored')
remember(KEYS[2], ARGV[2])
return 'ok'
