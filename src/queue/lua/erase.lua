-- Takes a verification out of Redis, in one step, and leaves a tombstone that every writer checks and every claim meets.
--   KEYS  journal, lock, history, live, ended, outbox, held, admitted, express, frames, subject's index (or journal), receipt,
--         tenant's index (or journal)
--   ARGV  id, channel, life of tombstone and receipt ms, receipt JSON or '' (by age: nothing else is left to delete),
--         outbox entry JSON or '', ended before ms since 1970 (0: at any time)
--   →     { 'erased', 1 where somebody works on it now, else 0 } | { 'missing' | 'gone', 0 } | { 'legal hold', 0 }
--         | { 'later', 0 } (it has not ended, or not yet so long ago)
-- What the deletion outside Redis must know (where objects and frame are) stays in the tombstone until that is confirmed.
--@include now
--@include terminal
local seen = redis.call('HMGET', KEYS[1], 'state', 'erased', 'legal', 'endedAt', 'rq', 'stored', 'src')
if seen[2] then return { 'gone', 0 } end
if not seen[1] then return { 'missing', 0 } end
if seen[3] then return { 'legal hold', 0 } end
local before = tonumber(ARGV[6])
if before > 0 and not (isTerminal(seen[1]) and tonumber(seen[4]) < before) then return { 'later', 0 } end
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HSET', KEYS[1], 'erased', clock())
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for _, place in ipairs({ KEYS[4], KEYS[5], KEYS[7], KEYS[8], KEYS[9], KEYS[10] }) do redis.call('ZREM', place, ARGV[1]) end
for _, index in ipairs({ KEYS[11], KEYS[13] }) do
  if index ~= KEYS[1] then redis.call('ZREM', index, ARGV[1]) end
end
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'rq', seen[5], 'pending', 1)
  if seen[6] then redis.call('HSET', KEYS[1], 'stored', seen[6]) end
  if seen[7] then redis.call('HSET', KEYS[1], 'src', seen[7]) end
  redis.call('SET', KEYS[12], ARGV[4], 'PX', ARGV[3])
  redis.call('HSET', KEYS[6], ARGV[1], ARGV[5])
end
redis.call('PUBLISH', ARGV[2], ARGV[1])
return { 'erased', redis.call('EXISTS', KEYS[2]) }
