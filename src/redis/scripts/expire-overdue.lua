-- Ends a verification whose deadline has passed while no worker is running it, for example because its gate is closed. If it was
-- cancelled, it ends as cancelled.
--   KEYS  journal lock history live ended outbox held admitted express kept
--   ARGV  id channel outboxEntry expiryMs entry reason keepMs maxPayments
--         outboxEntry: JSON, or ''; reason: JSON; keepMs, maxPayments: see settle
--   →     expired | unchanged (ended, held, decided, a session with a token, not overdue, or a worker is running it)
--@include now
--@include terminal
--@include history
--@include live
--@include finish
local state, deadline, decided, open, cancelled, started =
  unpack(redis.call('HMGET', journalKey, 'state', 'deadline', 's:detect', 'open', 'cancel', 's:start'))
if not state or isTerminal(state) or state == 'held' or decided or open or started then return 'unchanged' end
local now = clock()
if tonumber(deadline) > now or redis.call('EXISTS', lockKey) == 1 then return 'unchanged' end
local last, lastReason = 'failed', reason
if cancelled then last, lastReason = 'cancelled', CANCELLED end
remember(historyKey, entry)
redis.call('HDEL', journalKey, 'heldUntil')
for _, index in ipairs({ heldKey, admittedKey, expressKey }) do redis.call('ZREM', index, id) end
finish({ journal = journalKey, history = historyKey, live = liveKey, ended = endedKey, outbox = outboxKey, channel = channel },
  id, now, { 'state', last, 'reason', lastReason, 'frame', 'none' }, outboxEntry, expiryMs,
  { key = keptKey, ms = last == 'failed' and keepMs or 0, maxPayments = maxPayments })
return 'expired'
