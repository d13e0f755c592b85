-- Makes a verification continue after `delayMs`: from its current stage, or from upload if rewind is 1. If countAttempt is 1, the
-- attempt counts against the limit of its stage.
--   KEYS  journal lock job history admitted gate
--   ARGV  token ats generation id operationId delayMs stage countAttempt rewind forgive reason entry
--         countAttempt, rewind: 1 | 0; forgive: 1 forgets the failed attempts so far, 0 keeps them; reason: JSON
--   →     ok | lost | ended | cancel (not requeued, because the caller cancelled the verification: end it)
-- Idempotent by operation id.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state, currentGeneration, cancelled, lastOperation, open, decided =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 'op', 'open', 's:detect'))
if lastOperation == operationId then return 'ok' end
if not state or isTerminal(state) then return 'ended' end
if currentGeneration ~= generation then return 'lost' end
if cancelled and not open then return 'cancel' end
-- A late answer has decided the verification in the meantime. Do not upload again: the next run continues from the decision.
if rewind == '1' and decided then return 'lost' end
redis.call('HSET', journalKey, 'op', operationId, 'state', 'delayed', 'notBefore', clock() + tonumber(delayMs),
  'reason', reason)
redis.call('HINCRBY', journalKey, 'yields', 1)
redis.call('HDEL', journalKey, 'alone')
if countAttempt == '1' then redis.call('HINCRBY', journalKey, 'a:' .. stage, 1) end
if forgive == '1' then redis.call('HDEL', journalKey, 'a:upload', 'a:read', 'a:md5', 'a:detect', 'a:download', 'a:start', 'a:opinion') end
if rewind == '1' then
  redis.call('HINCRBY', journalKey, 'gen', 1)
  redis.call('HDEL', journalKey, 's:upload', 's:md5', 'a:upload', 'a:read', 'a:md5')
end
remember(historyKey, entry)
redis.call('ZREM', admittedKey, id)
releaseProbe(gateKey, id)
return 'ok'
