-- Records what became of an intent. Needs no lock: a paid answer is never thrown away.
--   KEYS  journal, history, gate, counters, held, answered packages, outbox
--   ARGV  id, intent id, generation, kind (decision | error | unsent), outcome JSON, decision, similarity, frame state,
--         billed (1 | 0), history entry, penalty ms (throttled: the gate rests), channel, reason JSON of a decision or '',
--         digest of the liveness package, how long it is remembered ms, where its outbox entry lies, that entry JSON or ''
--   →     committed (the decision stands) | closed (an error answer; unbilled) | late (history only) | again (seen before)
--         | orphan (no journal: nothing written, counted)
-- A held verification is decided by it, and goes on. First writer wins; a terminal record, an older generation or an earlier decision is never overwritten.
--@include now
--@include terminal
--@include history
--@include pace
local TOLD_KEPT = 8 -- intents whose outcome was told, the newest first: known again when it is sent again
local now = clock()
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 's:detect', 'open', 'told', 'u:' .. ARGV[2])
local told = seen[5] or ''
if string.find(' ' .. told .. ' ', ' ' .. ARGV[2] .. ' ', 1, true) then return 'again' end
if tonumber(ARGV[11]) > 0 then slowDown(KEYS[3], now, tonumber(ARGV[11])) end
if not seen[1] then
  redis.call('HINCRBY', KEYS[4], 'orphanOutcomes', 1)
  return 'orphan'
end

local known = false
if seen[4] and cjson.decode(seen[4]).iid == ARGV[2] then
  redis.call('HDEL', KEYS[1], 'open')
  known = true
elseif seen[6] then
  redis.call('HDEL', KEYS[1], 'u:' .. ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'maybe', -1)
  known = true
end
local kept = { ARGV[2] }
for iid in string.gmatch(told, '%S+') do
  if #kept < TOLD_KEPT then kept[#kept + 1] = iid end
end
redis.call('HSET', KEYS[1], 'told', table.concat(kept, ' '))
if ARGV[9] == '1' then redis.call('HINCRBY', KEYS[1], 'paid', 1) end
remember(KEYS[2], ARGV[10])
if ARGV[4] ~= 'decision' then return 'closed' end

if not known or isTerminal(seen[1]) or seen[2] ~= ARGV[3] or seen[3] then
  redis.call('HINCRBY', KEYS[4], 'lateOutcomes', 1)
  if not isTerminal(seen[1]) and not seen[3] then -- a person may accept it
    redis.call('HSET', KEYS[1], 'late', cjson.encode({ outcome = ARGV[5], decision = ARGV[6], similarity = ARGV[7], frame = ARGV[8] }))
  end
  return 'late'
end
redis.call('HSET', KEYS[1], 's:detect', ARGV[5], 'decision', ARGV[6], 'similarity', ARGV[7], 'frame', ARGV[8], 'decidedAt', now)
redis.call('ZADD', KEYS[6], 'NX', now, ARGV[14])
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', now - tonumber(ARGV[15]))
redis.call('HDEL', KEYS[1], 'reason') -- of an earlier wait
if ARGV[13] ~= '' then redis.call('HSET', KEYS[1], 'reason', ARGV[13]) end
if seen[1] == 'held' then
  redis.call('HSET', KEYS[1], 'state', 'delayed', 'notBefore', now)
  redis.call('HDEL', KEYS[1], 'heldUntil')
  redis.call('ZREM', KEYS[5], ARGV[1])
end
if ARGV[17] ~= '' then redis.call('HSET', KEYS[7], ARGV[16], ARGV[17]) end
redis.call('PUBLISH', ARGV[12], ARGV[1])
return 'committed'
