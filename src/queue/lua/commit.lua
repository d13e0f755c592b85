-- Commits the outcome of an unpaid stage.
--   KEYS  journal, lock, job, history
--   ARGV  token, ats, generation, field (s:upload), outcome JSON, history entry
--   →     ok | lost | ended | cancel
-- Idempotent: the same attempt writes the same outcome once; a repeat adds no second history entry.
--@include fence
--@include terminal
--@include history
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return 'lost' end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', ARGV[4])
if not seen[1] or isTerminal(seen[1]) then return 'ended' end
if seen[2] ~= ARGV[3] then return 'lost' end
if seen[4] ~= ARGV[5] then
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
  remember(KEYS[4], ARGV[6])
end
return seen[3] and 'cancel' or 'ok'
