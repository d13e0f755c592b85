-- What a person decides about a held verification. No choice makes a match: a decision is the vendor's, or `recapture`.
--   KEYS  journal, history, live, ended, outbox, held
--   ARGV  id, channel, choice (retry | rewind | recapture | fail | accept-late), history entry, least time to go on ms,
--         pay again (1 | 0), record life ms, outbox entry JSON or '', who, where the outbox entry of a decision lies, that entry
--         JSON or ''
--   →     { 'ok', state } | { 'missing' | 'not held' | 'pay again' | 'nothing late', state or '' }
-- `pay again`: a call that was or may have been paid is behind it, and the choice would make another: it must be said.
--@include now
--@include terminal
--@include history
--@include release
--@include finish
local seen = redis.call('HMGET', KEYS[1], 'state', 'paid', 'maybe', 'late')
if not seen[1] then return { 'missing', '' } end
if seen[1] ~= 'held' then return { 'not held', seen[1] } end
local now, choice = clock(), ARGV[3]
local behind = tonumber(seen[2] or '0') + tonumber(seen[3] or '0')
if (choice == 'retry' or choice == 'rewind') and behind > 0 then
  if ARGV[6] ~= '1' then return { 'pay again', seen[1] } end
  redis.call('HSET', KEYS[1], 'allowed', behind)
end
if choice == 'accept-late' and not seen[4] then return { 'nothing late', seen[1] } end
remember(KEYS[2], ARGV[4])
if (choice == 'recapture' or choice == 'accept-late') and ARGV[11] ~= '' then redis.call('HSET', KEYS[5], ARGV[10], ARGV[11]) end
if choice == 'recapture' or choice == 'fail' then
  local fields = choice == 'fail' and { 'state', 'failed', 'frame', 'none' }
    or { 'state', 'completed', 'decision', 'recapture', 'decidedBy', ARGV[9], 'decidedAt', now, 'frame', 'none' }
  redis.call('ZREM', KEYS[6], ARGV[1])
  redis.call('HDEL', KEYS[1], 'heldUntil')
  finish({ journal = KEYS[1], history = KEYS[2], live = KEYS[3], ended = KEYS[4], outbox = KEYS[5], channel = ARGV[2] },
    ARGV[1], now, fields, ARGV[8], ARGV[7])
  return { 'ok', choice == 'fail' and 'failed' or 'completed' }
end
if choice == 'rewind' then
  redis.call('HINCRBY', KEYS[1], 'gen', 1)
  redis.call('HDEL', KEYS[1], 's:upload', 's:md5', 'late')
end
release(KEYS[1], KEYS[6], ARGV[1], now, tonumber(ARGV[5]))
if choice == 'accept-late' then
  local late = cjson.decode(seen[4])
  redis.call('HSET', KEYS[1], 's:detect', late.outcome, 'decision', late.decision, 'similarity', late.similarity,
    'frame', late.frame, 'decidedAt', now, 'decidedBy', ARGV[9])
  redis.call('HDEL', KEYS[1], 'late')
end
redis.call('PUBLISH', ARGV[2], ARGV[1])
return { 'ok', 'delayed' }
