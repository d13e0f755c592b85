-- Sets a session aside until its result is asked for again. It then waits without a job and without a worker.
--   KEYS  journal lock job history admitted gate due ripe
--   ARGV  token ats generation id operationId delayMs soonMs askedFrom countAttempt reason entry
--         askedFrom: when the attempt began, ms since 1970. If the caller has reported the end since then, the result may be newer
--         than the answer, so the session waits only `soonMs`
--         countAttempt: 1 | 0; reason: JSON, or '' if the session only waits for the person
--   →     ok | lost | ended | cancel (not set aside, because the caller cancelled the session: end it)
-- Idempotent by operation id. The new generation shuts out the attempt that set the session aside: its job is gone, and a later
-- job starts to count its attempts from 1 again.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, cancelled, lastOperation, decided, told =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 'op', 's:detect', 'toldAt'))
if lastOperation == operationId then return 'ok' end
if not state or isTerminal(state) then return 'ended' end
if currentGeneration ~= generation or decided then return 'lost' end
if cancelled then return 'cancel' end
local now = clock()
local wait = tonumber(delayMs)
if told and tonumber(told) >= tonumber(askedFrom) then wait = math.min(wait, tonumber(soonMs)) end
local due = now + wait
local next = redis.call('HINCRBY', journalKey, 'gen', 1)
redis.call('HSET', journalKey, 'op', operationId, 'state', 'delayed', 'notBefore', due, 'parked', 1, 'gen0', next)
redis.call('HINCRBY', journalKey, 'yields', 1)
redis.call('HDEL', journalKey, 'alone', 'begun', 'reason')
if reason ~= '' then redis.call('HSET', journalKey, 'reason', reason) end
if countAttempt == '1' then
  redis.call('HINCRBY', journalKey, 'a:collect', 1)
else
  redis.call('HDEL', journalKey, 'a:collect')
end
remember(historyKey, entry)
redis.call('ZREM', admittedKey, id)
redis.call('ZREM', ripeKey, id)
redis.call('ZADD', dueKey, due, id)
releaseProbe(gateKey, id)
return 'ok'
