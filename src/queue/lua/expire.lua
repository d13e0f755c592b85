-- Ends a verification whose deadline has passed while nobody works on it, e.g. behind a closed gate. One that was cancelled
-- ends as cancelled.
--   KEYS  journal, lock, history, live, ended, outbox, held, admitted, express
--   ARGV  id, channel, outbox entry JSON or '', record life ms, history entry, reason JSON
--   →     expired | no (it has ended, is held, is decided, has time left, or somebody is at it)
--@include now
--@include terminal
--@include history
--@include finish
local seen = redis.call('HMGET', KEYS[1], 'state', 'deadline', 's:detect', 'open', 'cancel')
if not seen[1] or isTerminal(seen[1]) or seen[1] == 'held' or seen[3] or seen[4] then return 'no' end
local now = clock()
if tonumber(seen[2]) > now or redis.call('EXISTS', KEYS[2]) == 1 then return 'no' end
local state, reason = 'failed', ARGV[6]
if seen[5] then state, reason = 'cancelled', CANCELLED end
remember(KEYS[3], ARGV[5])
redis.call('HDEL', KEYS[1], 'heldUntil')
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('ZREM', KEYS[8], ARGV[1])
redis.call('ZREM', KEYS[9], ARGV[1])
finish({ journal = KEYS[1], history = KEYS[3], live = KEYS[4], ended = KEYS[5], outbox = KEYS[6], channel = ARGV[2] },
  ARGV[1], now, { 'state', state, 'reason', reason, 'frame', 'none' }, ARGV[3], ARGV[4])
return 'expired'
