-- Removes a verification from Redis in one step. Leaves a tombstone, which stops every later write and claim.
--   KEYS  journal lock history live ended outbox held admitted express frames subjectIndex receipt tenantIndex kept toCopy copies
--   ARGV  id channel tombstoneTtlMs receipt outboxField outboxEntry endedBefore
--         subjectIndex, tenantIndex: if the verification has no subject or tenant, the journal's key as a placeholder
--         receipt: JSON, or '' for an erasure by age, which leaves nothing to delete elsewhere
--         outboxField: the erasure's own field. The field of the end may hold an entry that is still to be delivered
--         endedBefore: ms since 1970; 0 to erase the verification in any state
--   →     { 'erased', a worker is running it, or copying its evidence (1 | 0) } | { 'missing' | 'gone' | 'legal_hold', 0 }
--         | { 'too_early', 0 } (not ended, or not before `endedBefore`)
-- Until the deletion of objects and frame outside Redis is confirmed, the tombstone contains their locations.
--@include now
--@include terminal
--@include live
local state, erased, legalHold, endedAt, request, stored, sources, tenant, media, evidence =
  unpack(redis.call('HMGET', journalKey, 'state', 'erased', 'legal', 'endedAt', 'rq', 'stored', 'src', 'tn', 'media', 'ev'))
if erased then return { 'gone', 0 } end
if not state then return { 'missing', 0 } end
if legalHold then return { 'legal_hold', 0 } end
local before = tonumber(endedBefore)
if before > 0 and not (isTerminal(state) and tonumber(endedAt) < before) then return { 'too_early', 0 } end
local inUse = redis.call('EXISTS', lockKey, toCopyKey) > 0 and 1 or 0
redis.call('DEL', journalKey, historyKey, keptKey, toCopyKey)
redis.call('HSET', journalKey, 'erased', clock())
redis.call('PEXPIRE', journalKey, tombstoneTtlMs)
leaveIndex(liveKey, tenant, id)
for _, index in ipairs({ endedKey, heldKey, admittedKey, expressKey, framesKey, copiesKey }) do
  redis.call('ZREM', index, id)
end
for _, index in ipairs({ subjectIndexKey, tenantIndexKey }) do
  if index ~= journalKey then redis.call('ZREM', index, id) end
end
if receipt ~= '' then
  redis.call('HSET', journalKey, 'rq', request, 'pending', 1)
  if stored then redis.call('HSET', journalKey, 'stored', stored) end
  if media then redis.call('HSET', journalKey, 'media', media) end
  if sources then redis.call('HSET', journalKey, 'src', sources) end
  if evidence then redis.call('HSET', journalKey, 'ev', evidence) end
  redis.call('SET', receiptKey, receipt, 'PX', tombstoneTtlMs)
  redis.call('HSET', outboxKey, outboxField, outboxEntry)
end
redis.call('PUBLISH', channel, id)
return { 'erased', inUse }
