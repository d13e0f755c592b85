-- Records the result of a session: its decision, and what the vendor bills.
--   KEYS  journal lock job history outbox breakers costsDay costsMonth
--   ARGV  token ats generation id outcome facts decision similarity frame reason paid settles channel outboxField outboxEntry entry passed windowMs place currency micros
--         outcome, facts: JSON, sealed if there is a key ring; reason: JSON, or ''
--         paid: number of checks that the vendor bills; settles: 1 if this number is known, so that the start call no longer counts
--         as possibly paid; else 0
--         place: 'region|action'; currency, micros: the price that was recorded when the session was started
--         passed, windowMs: dependencies that worked, see includes/breaker
--   →     ok | lost | ended
-- Idempotent: a second run finds the decision, and changes nothing. The result call is free, so if an attempt dies before this
-- script, the next attempt asks again.
--@include now
--@include fence
--@include terminal
--@include history
--@include breaker
--@include ledger
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, decided = unpack(redis.call('HMGET', journalKey, 'state', 'gen', 's:detect'))
if not state or isTerminal(state) then return 'ended' end
if decided then return decided == outcome and 'ok' or 'lost' end
if currentGeneration ~= generation then return 'lost' end
local now = clock()
breakersPassed(breakersKey, id, passed, windowMs, now)
if settles == '1' then
  local tenant = redis.call('HGET', journalKey, 'tn') or ''
  local ledger = { day = costsDayKey, month = costsMonthKey, place = place .. '|' .. tenant, tenant = tenant,
    currency = currency, micros = tonumber(micros) }
  book(ledger, { maybe = -1, paid = tonumber(paid) > 0 and tonumber(paid) or nil })
  redis.call('HINCRBY', journalKey, 'maybe', -1)
  if tonumber(paid) > 0 then redis.call('HINCRBY', journalKey, 'paid', paid) end
  expireLedger(ledger)
end
redis.call('HSET', journalKey, 's:detect', outcome, 'ses', facts, 'decision', decision, 'similarity', similarity, 'frame', frame,
  'decidedAt', now)
redis.call('HDEL', journalKey, 'reason', 'a:collect')
if reason ~= '' then redis.call('HSET', journalKey, 'reason', reason) end
remember(historyKey, entry)
if outboxEntry ~= '' then redis.call('HSET', outboxKey, outboxField, outboxEntry) end
redis.call('PUBLISH', channel, id)
return 'ok'
