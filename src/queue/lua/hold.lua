-- Sets a verification aside for a person.
--   KEYS  journal, lock, job, history, admitted, gate, held, outbox
--   ARGV  token, ats, generation, id, reason JSON, how long it is held ms, history entry, channel,
--         where its outbox entry lies, that entry JSON or ''
--   →     ok | lost | ended | cancel (end it instead)
-- Idempotent: a second run finds it held.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return 'lost' end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 's:detect')
if not seen[1] or isTerminal(seen[1]) then return 'ended' end
if seen[1] == 'held' then return 'ok' end
if seen[2] ~= ARGV[3] or seen[4] then return 'lost' end
if seen[3] then return 'cancel' end
local until_ = clock() + tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'state', 'held', 'reason', ARGV[5], 'heldUntil', until_)
redis.call('HINCRBY', KEYS[1], 'yields', 1)
redis.call('ZADD', KEYS[7], until_, ARGV[4])
redis.call('ZREM', KEYS[5], ARGV[4])
releaseProbe(KEYS[6], ARGV[4])
remember(KEYS[4], ARGV[7])
if ARGV[10] ~= '' then redis.call('HSET', KEYS[8], ARGV[9], ARGV[10]) end
redis.call('PUBLISH', ARGV[8], ARGV[4])
return 'ok'
