-- Ends a verification: writes the terminal state and the outbox entry in one step.
--   KEYS  journal lock job history live ended outbox admitted gate held frames breakers kept
--   ARGV  token ats generation id channel state reason outboxEntry expiryMs entry frame stored media keepFrameMs passed windowMs keepMs maxPayments
--         reason, outboxEntry, stored, media: JSON, or ''; media: what a session stored besides its frame; keepFrameMs: how long the frame is kept; 0 if it must not be deleted
--         passed, windowMs: dependencies that worked, see includes/breaker
--         keepMs: how long sources and answer are kept for a retry, or 0; maxPayments: the limit of paid calls for a retry
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
local current, currentGeneration, cancelled, decided =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 's:detect'))
if not current then return { 'ended', '' } end
if isTerminal(current) then return { 'ended', current } end
if currentGeneration ~= generation then return { 'lost', '' } end
-- A late answer has decided the verification in the meantime. Do not fail it: the next run continues from the decision.
if state == 'failed' and decided then return { 'lost', '' } end
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
redis.call('HDEL', journalKey, 'reason')
put('reason', last == state and reason or CANCELLED)
remember(historyKey, entry)
redis.call('ZREM', admittedKey, id)
releaseProbe(gateKey, id)
redis.call('ZREM', heldKey, id)
redis.call('HDEL', journalKey, 'heldUntil')
local now = clock()
breakersPassed(breakersKey, id, passed, windowMs, now)
finish({ journal = journalKey, history = historyKey, live = liveKey, ended = endedKey, outbox = outboxKey, channel = channel },
  id, now, fields, outboxEntry, expiryMs, { key = keptKey, ms = last == state and keepMs or 0, maxPayments = maxPayments })
if (stored ~= '' or media ~= '') and tonumber(keepFrameMs) > 0 then redis.call('ZADD', framesKey, now + tonumber(keepFrameMs), id) end
return { 'ok', last }
