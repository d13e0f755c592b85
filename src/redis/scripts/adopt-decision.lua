-- Restores a decision from the receipt next to the frame, after Redis lost the record or its last writes.
--   KEYS  journal lock job history outbox costsDay costsMonth
--   ARGV  token ats generation outcome decision similarity decidedAt billed reason entry outboxField outboxEntry place currency micros
--         outcome: JSON; similarity: a number, or ''; decidedAt: ms since 1970; billed: 1 | 0; reason: JSON, or ''
--         place: 'region|action'; currency, micros: price of the call on the day of the decision
--   →     ok | lost | ended | cancel | refused (the record has a different decision)
-- Idempotent: if the same attempt adopts the same decision again, nothing changes.
-- The receipt does not name its intent. If an intent is open, the decision answers that intent; otherwise it answers one of the
-- intents with an unknown outcome. The script closes the answered intent, so that its call is not counted twice.
--@include fence
--@include terminal
--@include history
--@include ledger
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, cancelled, decided, open =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 's:detect', 'open'))
if not state or isTerminal(state) then return 'ended' end
if currentGeneration ~= generation then return 'lost' end
if decided then return decided == outcome and 'ok' or 'refused' end
if cancelled and not open then return 'cancel' end

local declared = open ~= false
if open then
  redis.call('HDEL', journalKey, 'open')
else
  local unknown
  for _, field in ipairs(redis.call('HKEYS', journalKey)) do
    if string.sub(field, 1, 2) == 'u:' and (not unknown or field < unknown) then unknown = field end
  end
  if unknown then
    declared = true
    redis.call('HDEL', journalKey, unknown)
    redis.call('HINCRBY', journalKey, 'maybe', -1)
  end
end
local tenant = redis.call('HGET', journalKey, 'tn') or ''
bookOutcome({ day = costsDayKey, month = costsMonthKey, place = place .. '|' .. tenant, tenant = tenant, currency = currency,
  micros = tonumber(micros) }, declared, billed == '1' and 'yes' or 'no')
if billed == '1' then redis.call('HINCRBY', journalKey, 'paid', 1) end
redis.call('HSET', journalKey, 's:detect', outcome, 'decision', decision, 'similarity', similarity, 'frame', 'pending',
  'decidedAt', decidedAt)
redis.call('HDEL', journalKey, 'reason')
if reason ~= '' then redis.call('HSET', journalKey, 'reason', reason) end
remember(historyKey, entry)
if outboxEntry ~= '' then redis.call('HSET', outboxKey, outboxField, outboxEntry) end
return 'ok'
