-- Starts an ended verification again under the same id and a new generation, or answers why not. A failed verification runs again
-- from upload. A completed verification whose frame was lost keeps its decision, and only downloads the frame again.
--   KEYS  journal lock history live ended outbox kept subjectIndex turns waiting
--   ARGV  id channel write operationId lifeMs entry reason subjectLifeMs
--         subjectIndex: the journal's key if the verification has no subject
--         write: 1, or 0 to get the same answer without any change; lifeMs: time from now to the new deadline
--         reason: reason of the decision, JSON, or ''; only for a lost frame
--         turns, waiting: see includes/turn
--   →     { 'run' | 'frame', sources, answer with the frame's link or '', turn in the queue or '' }
--         | { 'missing' | 'erased' | 'legal_hold' | 'not_ended' | 'cancelled' | 'answered', '', '', '' }
--         | { 'ending', '', '', '' } (a worker still holds the job, or the follow-ups of the end are not delivered yet)
--         | { 'sources_gone' | 'link_expired', '', '', '' } (the sources were not kept, or are no longer kept; the link has expired)
--         | { 'payments_used', '', '', '' } (paid and possibly paid calls together have reached the limit)
-- If retries run concurrently, one of them starts a run; the others find that the verification has not ended. The count of calls
-- is never reset: the limit of payments holds over all retries. The new generation shuts out every attempt of an earlier run. The
-- deletions that follow the earlier end do not affect the objects of the new generation, because their keys differ. Idempotent by
-- operation id.
--@include now
--@include terminal
--@include history
--@include live
--@include finish
--@include turn
local function no(status) return { status, '', '', '' } end
local state, erased, legalHold, frame, paid, possiblyPaid, open, request, lastOperation, tenant, weight = unpack(redis.call(
  'HMGET', journalKey, 'state', 'erased', 'legal', 'frame', 'paid', 'maybe', 'open', 'rq', 'retryOp', 'tn', 'weight'))
if erased then return no('erased') end
if not state then return no('missing') end
for _, done in ipairs({ 'run', 'frame' }) do
  if lastOperation == operationId .. '/' .. done then return { done, '', '', redis.call('HGET', journalKey, 'turn') or '' } end
end
if legalHold then return no('legal_hold') end
if not isTerminal(state) then return no('not_ended') end
if state == 'cancelled' then return no('cancelled') end
local lost = state == 'completed'
if lost and frame ~= 'lost' then return no('answered') end
if redis.call('EXISTS', lockKey) == 1 or redis.call('HEXISTS', outboxKey, endField(id, redis.call('HGET', journalKey, 'retries'))) == 1 then
  return no('ending')
end
local sources, answer, maxPayments = unpack(redis.call('HMGET', keptKey, 'src', 's:detect', 'pays'))
if lost and not answer then return no('link_expired') end
if not sources then return no('sources_gone') end
local spent = tonumber(paid or '0') + tonumber(possiblyPaid or '0') + (open and 1 or 0)
if not lost and spent >= tonumber(maxPayments) then return no('payments_used') end
local result = lost and { 'frame', sources, answer, '' } or { 'run', sources, '', '' }
if write ~= '1' then return result end

local now = clock()
local generation = redis.call('HINCRBY', journalKey, 'gen', 1)
redis.call('HINCRBY', journalKey, 'retries', 1)
redis.call('HDEL', journalKey, 'endedAt', 'reason', 'a:upload', 'a:md5', 'a:detect', 'a:download', 'a:opinion')
redis.call('HSET', journalKey, 'src', sources, 'deadline', now + tonumber(lifeMs), 'gen0', generation,
  'retryOp', operationId .. '/' .. result[1],
  -- No person waits in front of a camera any more: the retry runs as batch work, behind interactive verifications.
  'rq', (string.gsub(request, '|interactive|', '|batch|', 1)))
if lost then
  redis.call('HSET', journalKey, 'state', 'delayed', 'notBefore', now, 's:detect', answer, 'frame', 'pending')
  if reason ~= '' then redis.call('HSET', journalKey, 'reason', reason) end
else
  local following = nextTurn(turnsKey, waitingKey, 'batch', tenant or '', tonumber(weight or '1'))
  local turn = takeTurn(turnsKey, 'batch', tenant or '', following)
  redis.call('HSET', journalKey, 'state', 'queued', 'turn', turn)
  result[4] = turn
end
redis.call('DEL', keptKey)
remember(historyKey, entry)
redis.call('PERSIST', journalKey)
redis.call('PERSIST', historyKey)
-- The subject index must outlive the record. If a legal hold made the index persistent, it has no expiry to extend.
if redis.call('PTTL', subjectIndexKey) > 0 then redis.call('PEXPIRE', subjectIndexKey, subjectLifeMs) end
redis.call('ZREM', endedKey, id)
enterIndex(liveKey, tenant, now, id)
redis.call('PUBLISH', channel, id)
return result
