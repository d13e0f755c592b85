-- Records the outcome of an intent. Needs no lock: a paid answer is never thrown away.
--   KEYS  journal history gate counters held answered outbox breakers costsDay costsMonth
--   ARGV  id intentId generation kind outcome decision similarity frame unknownShape billed entry restMs channel reason packageDigest packageTtlMs photoRetries photoOnly outboxField outboxEntry passed windowMs place currency micros counts
--         kind: decision | started | opinion | error | unsent; outcome: JSON of a decision, a session's start or an opinion, else ''
--         counts: see includes/counts
--         billed: yes | no | unknown (counts as possibly paid); restMs: > 0 if the vendor throttled the call; reason: JSON, or ''
--         unknownShape: 1 if documented fields of the answer do not have the documented shape, else 0
--         passed, windowMs: dependencies that worked, see includes/breaker
--         packageDigest: of the liveness package, remembered as answered for packageTtlMs
--         photoOnly: 1 if the answer is about the photo alone; photoRetries: see includes/answered
--         place: 'region|action'; currency, micros: the price that was recorded when the intent was declared
--   →     committed (the decision or start stands) | closed (an error answer; nothing decided) | late (history only)
--         | again (this outcome was recorded before) | orphan (no journal: counted, nothing written)
-- The first decision wins. An outcome never changes a terminal record or an earlier decision, and an outcome of an older
-- generation decides nothing. A decision also releases a held verification.
--@include now
--@include terminal
--@include history
--@include gate
--@include pace
--@include breaker
--@include ledger
--@include answered
--@include counts
local TOLD_KEPT = 8 -- how many ids of recorded intents are kept, newest first, to recognise a repeated report
local now = clock()
local state, currentGeneration, decided, open, told, unknown, started, tenant, opinion, lastReason, paid =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 's:detect', 'open', 'told', 'u:' .. intentId, 's:start', 'tn',
    's:opinion', 'reason', counts .. 'paid'))
told, tenant = told or '', tenant or ''
if string.find(' ' .. told .. ' ', ' ' .. intentId .. ' ', 1, true) then return 'again' end
breakersPassed(breakersKey, id, passed, windowMs, now)
if tonumber(restMs) > 0 then slowDown(gateKey, now, tonumber(restMs)) end
if unknownShape == '1' then redis.call('HINCRBY', countersKey, 'replyShapes', 1) end
if not state then
  redis.call('HINCRBY', countersKey, 'orphanOutcomes', 1)
  return 'orphan'
end

local declared = false
if open and cjson.decode(open).iid == intentId then
  redis.call('HDEL', journalKey, 'open')
  declared = true
elseif unknown then
  redis.call('HDEL', journalKey, 'u:' .. intentId)
  redis.call('HINCRBY', journalKey, counts .. 'maybe', -1)
  declared = true
end
local kept = { intentId }
for earlier in string.gmatch(told, '%S+') do
  if #kept < TOLD_KEPT then kept[#kept + 1] = earlier end
end
local fields = { 'told', table.concat(kept, ' ') }
local function put(name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end
local function save() redis.call('HSET', journalKey, unpack(fields)) end
bookOutcome({ day = costsDayKey, month = costsMonthKey, place = place .. '|' .. tenant, tenant = tenant, currency = currency,
  micros = tonumber(micros) }, declared, billed)
if billed == 'yes' then put(counts .. 'paid', tonumber(paid or '0') + 1) end
if billed == 'unknown' then redis.call('HINCRBY', journalKey, counts .. 'maybe', 1) end
remember(historyKey, entry)
if kind ~= 'decision' and kind ~= 'started' and kind ~= 'opinion' then
  save()
  return 'closed'
end

local answered = isAnswered(counts, decided or started, opinion)
if not declared or isTerminal(state) or currentGeneration ~= generation or answered then
  redis.call('HINCRBY', countersKey, 'lateOutcomes', 1)
  if kind == 'decision' and not isTerminal(state) and not decided then -- an operator may accept this late answer
    put('late', cjson.encode({ outcome = outcome, decision = decision, similarity = similarity, frame = frame }))
  end
  save()
  return 'late'
end
if kind == 'started' then
  put('s:start', outcome)
elseif kind == 'opinion' then
  put('s:opinion', outcome)
else
  put('s:detect', outcome)
  put('decision', decision)
  put('similarity', similarity)
  put('frame', frame)
  put('decidedAt', now)
  redis.call('ZREMRANGEBYSCORE', answeredKey, '-inf', now - tonumber(packageTtlMs))
  rememberAnswer(answeredKey, packageDigest, photoOnly == '1', tonumber(photoRetries), now)
end
if lastReason then redis.call('HDEL', journalKey, 'reason') end -- the reason for an earlier wait no longer applies
if reason ~= '' then put('reason', reason) end
if state == 'held' then
  put('state', 'delayed')
  put('notBefore', now)
  redis.call('HDEL', journalKey, 'heldUntil')
  redis.call('ZREM', heldKey, id)
end
save()
if outboxEntry ~= '' then redis.call('HSET', outboxKey, outboxField, outboxEntry) end
redis.call('PUBLISH', channel, id)
return 'committed'
