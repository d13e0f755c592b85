-- Ends a verification: writes the terminal state, the outbox entry and the deletion in one step.
--   KEYS  journal lock job history live ended outbox admitted gate held frames breakers kept toCopy copies evidence deletions
--   ARGV  token ats generation id channel state reason outboxEntry deletion expiryMs entry frame stored media opinion keepFrameMs passed windowMs keepMs maxPayments evidenceText evidencePlace evidenceUntil copyMs
--         reason, outboxEntry, stored, media, opinion: JSON, or ''; opinion: of a second opinion that was never given; media: what a session stored besides its frame; keepFrameMs: how long the frame is kept; 0 if it must not be deleted
--         deletion: an ordinary deletion of the verification's objects, see take-deletions, or ''
--         passed, windowMs: dependencies that worked, see includes/breaker
--         keepMs: how long sources and answer are kept for a retry, or 0; maxPayments: the limit of paid calls for a retry
--         evidenceText: what the record says about its evidence, JSON, or ''; evidencePlace: where it is to lie, or '' if it cannot be
--         copied; evidenceUntil: end of its lock; copyMs: for how long it is tried to copy it
--   →     { 'ok' | 'ended', state } | { 'lost', '' }
-- Idempotent: a second run finds the terminal state. If the verification was cancelled, it ends as cancelled.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
--@include live
--@include finish
--@include breaker
if not ownsJob(lockKey, jobKey, token, ats) then return { 'lost', '' } end
local current, currentGeneration, cancelled, decided, heldUntil, given, lastReason =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 's:detect', 'heldUntil', 's:opinion', 'reason'))
if not current then return { 'ended', '' } end
if isTerminal(current) then return { 'ended', current } end
if currentGeneration ~= generation then return { 'lost', '' } end
-- A late answer has decided the verification in the meantime. Do not fail it: the next run continues from the decision.
if state == 'failed' and decided then return { 'lost', '' } end
-- The same for an opinion that has come in the meantime: it is not given up.
if opinion ~= '' and given and not cancelled then return { 'lost', '' } end
local last = cancelled and 'cancelled' or state
local fields = { 'state', last }
local function put(name, value)
  if value ~= '' then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
put('frame', frame)
put('stored', stored)
put('media', media)
put('s:opinion', given and '' or opinion)
if lastReason then redis.call('HDEL', journalKey, 'reason') end
put('reason', last == state and reason or CANCELLED)
remember(historyKey, entry)
redis.call('ZREM', admittedKey, id)
releaseProbe(gateKey, id)
if heldUntil then redis.call('ZREM', heldKey, id) end
local now = clock()
if decided and evidenceText ~= '' then
  put('ev', evidenceText)
  if evidencePlace ~= '' then
    local sources, upload = unpack(redis.call('HMGET', journalKey, 'src', 's:upload'))
    redis.call('DEL', toCopyKey)
    redis.call('HSET', toCopyKey, 'src', sources, 's:detect', decided)
    if upload then redis.call('HSET', toCopyKey, 's:upload', upload) end
    redis.call('PEXPIRE', toCopyKey, copyMs)
    redis.call('ZADD', copiesKey, now + tonumber(copyMs), id)
    redis.call('ZADD', evidenceKey, evidenceUntil, evidencePlace)
  end
end
breakersPassed(breakersKey, id, passed, windowMs, now)
finish({ journal = journalKey, history = historyKey, live = liveKey, ended = endedKey, outbox = outboxKey, channel = channel },
  id, now, fields, outboxEntry, expiryMs, { key = keptKey, ms = last == state and keepMs or 0, maxPayments = maxPayments })
if deletion ~= '' then redis.call('ZADD', deletionsKey, now, deletion) end
if (stored ~= '' or media ~= '') and tonumber(keepFrameMs) > 0 then redis.call('ZADD', framesKey, now + tonumber(keepFrameMs), id) end
return { 'ok', last }
