-- Asks for an end. Where nobody works on the verification and no paid call is open or answered, it ends here and nothing is
-- paid; otherwise it is marked, and the worker that holds it (or runs it next) ends it. A held one is nobody's: the lock may
-- still be that of the worker which has just set it aside.
--   KEYS  journal, lock, history, live, ended, outbox, admitted, express, held
--   ARGV  id, channel, outbox entry JSON or '', record life ms, history entry, reason JSON
--   →     { 'cancelled' | 'cancelling' | 'missing' | 'ended', state }
--@include now
--@include terminal
--@include history
--@include finish
local seen = redis.call('HMGET', KEYS[1], 'state', 'open', 's:detect', 'cancel')
if not seen[1] then return { 'missing', '' } end
if isTerminal(seen[1]) then return { 'ended', seen[1] } end
if not seen[4] then
  redis.call('HSET', KEYS[1], 'cancel', '1')
  remember(KEYS[3], ARGV[5])
end
local worked = seen[1] ~= 'held' and redis.call('EXISTS', KEYS[2]) == 1
if seen[2] or seen[3] or worked then return { 'cancelling', seen[1] } end
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('ZREM', KEYS[8], ARGV[1])
redis.call('ZREM', KEYS[9], ARGV[1])
redis.call('HDEL', KEYS[1], 'heldUntil')
finish({ journal = KEYS[1], history = KEYS[3], live = KEYS[4], ended = KEYS[5], outbox = KEYS[6], channel = ARGV[2] },
  ARGV[1], clock(), { 'state', 'cancelled', 'reason', ARGV[6], 'frame', 'none' }, ARGV[3], ARGV[4])
return { 'cancelled', 'cancelled' }
