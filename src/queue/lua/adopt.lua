-- Takes over a decision that an earlier life of this verification left beside its frame: Redis was lost in between.
--   KEYS  journal, lock, job, history, outbox
--   ARGV  token, ats, generation, outcome JSON, decision, similarity or '', when it was decided ms, reason JSON or '',
--         history entry, where its outbox entry lies, that entry JSON or ''
--   →     ok | lost | ended | cancel | no (this life has made or declared a call: that one decides)
-- Idempotent: the same attempt adopts the same decision once.
--@include fence
--@include terminal
--@include history
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return 'lost' end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 's:detect', 'open', 'paid', 'maybe')
if not seen[1] or isTerminal(seen[1]) then return 'ended' end
if seen[2] ~= ARGV[3] then return 'lost' end
if seen[3] then return 'cancel' end
if seen[4] then return seen[4] == ARGV[4] and 'ok' or 'no' end
if seen[5] or tonumber(seen[6] or '0') + tonumber(seen[7] or '0') > 0 then return 'no' end
redis.call('HSET', KEYS[1], 's:detect', ARGV[4], 'decision', ARGV[5], 'similarity', ARGV[6], 'frame', 'pending', 'decidedAt', ARGV[7])
redis.call('HDEL', KEYS[1], 'reason')
if ARGV[8] ~= '' then redis.call('HSET', KEYS[1], 'reason', ARGV[8]) end
remember(KEYS[4], ARGV[9])
if ARGV[11] ~= '' then redis.call('HSET', KEYS[5], ARGV[10], ARGV[11]) end
return 'ok'
