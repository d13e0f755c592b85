-- Cancels a verification. If no worker is running it and no paid call is open or answered, the script ends it, unpaid. Otherwise
-- the script marks it as cancelled, and the worker that runs the verification now or next ends it. A held verification counts as
-- not running, even if the lock still exists: the worker that set the verification aside may not have released the lock yet.
--   KEYS  journal lock history live ended outbox admitted express held
--   ARGV  id channel outboxEntry seen expiryMs entry reason
--         outboxEntry: JSON, or ''; seen: the runs from which outboxEntry was derived, see includes/runs; reason: JSON
--   →     { 'cancelled' | 'cancelling' | 'missing' | 'ended', state }
--         | { 'stale', state } (marked, but not ended: a run began after the record was read; read it and cancel again)
--@include now
--@include terminal
--@include history
--@include runs
--@include live
--@include finish
local state, open, decided, cancelled = unpack(redis.call('HMGET', journalKey, 'state', 'open', 's:detect', 'cancel'))
if not state then return { 'missing', '' } end
if isTerminal(state) then return { 'ended', state } end
if not cancelled then
  redis.call('HSET', journalKey, 'cancel', '1')
  remember(historyKey, entry)
end
local running = state ~= 'held' and redis.call('EXISTS', lockKey) == 1
if open or decided or running then return { 'cancelling', state } end
if runsChanged(journalKey, seen) then return { 'stale', state } end
for _, index in ipairs({ admittedKey, expressKey, heldKey }) do redis.call('ZREM', index, id) end
finish({ journal = journalKey, history = historyKey, live = liveKey, ended = endedKey, outbox = outboxKey, channel = channel },
  id, clock(), { 'state', 'cancelled', 'reason', reason, 'frame', 'none' }, outboxEntry, expiryMs)
return { 'cancelled', 'cancelled' }
