-- Carries out an operator's choice for a held verification. No choice can produce a match: the only decisions are the vendor's
-- own and `recapture`.
--   KEYS  journal history live ended outbox held
--   ARGV  id channel choice entry leastMs payAgain expiryMs outboxEntry seen by decisionField decisionEntry
--         choice: retry | rewind | recapture | fail | accept-late; payAgain: 1 | 0
--         leastMs: a verification that continues has at least this much time left
--         outboxEntry: for an end; seen: the runs from which outboxEntry was derived, see includes/runs
--         decisionField, decisionEntry: for a decision; '' if nobody is notified
--   →     { 'ok', state } | { 'missing' | 'not_held' | 'pay_again' | 'nothing_late', state or '' }
--         | { 'stale', state } (not ended: a run began after the record was read; read it and choose again)
-- `pay_again`: a call was or may have been paid, and the choice would lead to another call. The operator must first agree.
--@include now
--@include history
--@include release
--@include runs
--@include live
--@include finish
local state, paid, possiblyPaid, late = unpack(redis.call('HMGET', journalKey, 'state', 'paid', 'maybe', 'late'))
if not state then return { 'missing', '' } end
if state ~= 'held' then return { 'not_held', state } end
local now = clock()
local spent = tonumber(paid or '0') + tonumber(possiblyPaid or '0')
if (choice == 'retry' or choice == 'rewind') and spent > 0 then
  if payAgain ~= '1' then return { 'pay_again', state } end
  redis.call('HSET', journalKey, 'allowed', spent)
end
if (choice == 'recapture' or choice == 'fail') and runsChanged(journalKey, seen) then return { 'stale', state } end
if choice == 'accept-late' and not late then return { 'nothing_late', state } end
remember(historyKey, entry)
if (choice == 'recapture' or choice == 'accept-late') and decisionEntry ~= '' then
  redis.call('HSET', outboxKey, decisionField, decisionEntry)
end
if choice == 'recapture' or choice == 'fail' then
  local fields = choice == 'fail' and { 'state', 'failed', 'frame', 'none' }
    or { 'state', 'completed', 'decision', 'recapture', 'decidedBy', by, 'decidedAt', now, 'frame', 'none' }
  redis.call('ZREM', heldKey, id)
  finish({ journal = journalKey, history = historyKey, live = liveKey, ended = endedKey, outbox = outboxKey, channel = channel },
    id, now, fields, outboxEntry, expiryMs)
  return { 'ok', choice == 'fail' and 'failed' or 'completed' }
end
if choice == 'rewind' then
  redis.call('HINCRBY', journalKey, 'gen', 1)
  redis.call('HDEL', journalKey, 's:upload', 's:md5', 'late')
end
release(journalKey, heldKey, id, now, tonumber(leastMs))
if choice == 'accept-late' then
  local answer = cjson.decode(late)
  redis.call('HSET', journalKey, 's:detect', answer.outcome, 'decision', answer.decision, 'similarity', answer.similarity,
    'frame', answer.frame, 'decidedAt', now, 'decidedBy', by)
  redis.call('HDEL', journalKey, 'late')
end
redis.call('PUBLISH', channel, id)
return { 'ok', 'delayed' }
