-- Claims an id for a verification: creates the journal, or says what is there.
--   KEYS  journal, live index, express, subject's index (or journal: no subject), tenant's index (or
--         journal: no tenant)
--   ARGV  id, fingerprint, deadline (ms since 1970, or 0), life ms (used where deadline is 0), lane, express hold ms,
--         life of the subject's index ms, then field, value, … of the journal
--   →     { 'new' | 'same' | 'conflict' | 'gone', state, starts }
-- Idempotent: a second run with the same fingerprint answers `same`; `starts` = 0 tells the producer to add the job again.
--@include now
local found = redis.call('HMGET', KEYS[1], 'fp', 'state', 'starts', 'erased')
if found[4] then return { 'gone', '', 0 } end
if found[1] then
  return { found[1] == ARGV[2] and 'same' or 'conflict', found[2], tonumber(found[3] or '0') }
end
local now = clock()
local deadline = tonumber(ARGV[3])
if deadline == 0 then deadline = now + tonumber(ARGV[4]) end
local fields = {}
for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', KEYS[1], 'fp', ARGV[2], 'state', 'queued', 'at', now, 'deadline', deadline, 'gen', 0, unpack(fields))
redis.call('ZADD', KEYS[2], now, ARGV[1])
if ARGV[5] == 'interactive' then redis.call('ZADD', KEYS[3], now + tonumber(ARGV[6]), ARGV[1]) end
if KEYS[4] ~= KEYS[1] then
  redis.call('ZADD', KEYS[4], now, ARGV[1])
  -- One that a legal hold made lasting stays so.
  if redis.call('PTTL', KEYS[4]) ~= -1 or redis.call('ZCARD', KEYS[4]) == 1 then redis.call('PEXPIRE', KEYS[4], ARGV[7]) end
end
if KEYS[5] ~= KEYS[1] then redis.call('ZADD', KEYS[5], now, ARGV[1]) end
return { 'new', 'queued', 0 }
