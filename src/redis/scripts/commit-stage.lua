-- Commits the outcome of an unpaid stage.
--   KEYS  journal lock job history breakers
--   ARGV  token ats generation id field outcome entry passed windowMs
--         field: `s:upload`; outcome: JSON, sealed if there is a key ring
--         passed, windowMs: dependencies that worked, see includes/breaker
--   →     ok | lost | ended | cancel
-- Idempotent: if the outcome is already recorded, nothing is written, so a repeat adds no second history entry.
--@include now
--@include fence
--@include terminal
--@include history
--@include breaker
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, cancelled, committed =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', field))
if not state or isTerminal(state) then return 'ended' end
if currentGeneration ~= generation then return 'lost' end
if committed ~= outcome then
  redis.call('HSET', journalKey, field, outcome)
  remember(historyKey, entry)
  breakersPassed(breakersKey, id, passed, windowMs, clock())
end
return cancelled and 'cancel' or 'ok'
