-- Hands a verification back to the queue, to go on later: counts the attempt where it counts, rewinds where asked.
--   KEYS  journal, lock, job, history, admitted, gate
--   ARGV  token, ats, generation, id, operation id, delay ms, stage, count the attempt (1 | 0), rewind to upload (1 | 0),
--         reason JSON, history entry
--   →     ok | lost | ended | cancel (nothing handed back: end it)
-- Idempotent by operation id.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return 'lost' end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 'op', 'open', 's:detect')
if seen[4] == ARGV[5] then return 'ok' end
if not seen[1] or isTerminal(seen[1]) then return 'ended' end
if seen[2] ~= ARGV[3] then return 'lost' end
if seen[3] and not seen[5] then return 'cancel' end
-- A late answer has decided it in the meantime: it is not uploaded again, whoever comes next goes on from there.
if ARGV[9] == '1' and seen[6] then return 'lost' end
redis.call('HSET', KEYS[1], 'op', ARGV[5], 'state', 'delayed', 'notBefore', clock() + tonumber(ARGV[6]), 'reason', ARGV[10])
redis.call('HINCRBY', KEYS[1], 'yields', 1)
if ARGV[8] == '1' then redis.call('HINCRBY', KEYS[1], 'a:' .. ARGV[7], 1) end
if ARGV[9] == '1' then
  redis.call('HINCRBY', KEYS[1], 'gen', 1)
  redis.call('HDEL', KEYS[1], 's:upload', 's:md5', 'a:upload', 'a:md5')
end
remember(KEYS[4], ARGV[11])
redis.call('ZREM', KEYS[5], ARGV[4])
releaseProbe(KEYS[6], ARGV[4])
return 'ok'
