-- Sets a verification aside until an operator decides.
--   KEYS  journal lock job history admitted gate held outbox
--   ARGV  token ats generation id reason holdMs entry channel outboxField outboxEntry
--         reason, outboxEntry: JSON; both outbox arguments are '' if nobody is notified
--   →     ok | lost | ended | cancel (not held, because the caller cancelled the verification: end it)
-- Idempotent: a second run finds the verification held, and changes nothing.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, cancelled, decided =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 's:detect'))
if not state or isTerminal(state) then return 'ended' end
if state == 'held' then return 'ok' end
if currentGeneration ~= generation or decided then return 'lost' end
if cancelled then return 'cancel' end
local heldUntil = clock() + tonumber(holdMs)
redis.call('HSET', journalKey, 'state', 'held', 'reason', reason, 'heldUntil', heldUntil)
redis.call('HINCRBY', journalKey, 'yields', 1)
redis.call('HDEL', journalKey, 'alone')
redis.call('ZADD', heldKey, heldUntil, id)
redis.call('ZREM', admittedKey, id)
releaseProbe(gateKey, id)
remember(historyKey, entry)
if outboxEntry ~= '' then redis.call('HSET', outboxKey, outboxField, outboxEntry) end
redis.call('PUBLISH', channel, id)
return 'ok'
