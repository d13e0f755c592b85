-- The preamble of every run: may this attempt go on, and from where? Asks for admission in the same step.
--   KEYS  journal, lock, job, gate, admitted, express
--   ARGV  token, ats, id, lane, crash budget, admission capacity, admission hold ms
--   →     { verdict, now, waitMs, journal as field, value, …, epoch of the gate }
--   verdict: lost | missing | terminal | held | wait (not before; waitMs) | poison | expired
--            | unheld (held until now, and nobody decided) | go (waitMs > 0: admitted later)
-- Idempotent by (token, ats): a repeated run counts no second start.
--@include now
--@include fence
--@include terminal
--@include gate
--@include admission
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return { 'lost', 0, 0, {}, '0' } end
local now = clock()
local seen = redis.call('HMGET', KEYS[1], 'state', 'notBefore', 'starts', 'yields', 'begun', 's:detect', 'deadline', 'cancel', 'open', 'heldUntil')
local state = seen[1]
if not state then return { 'missing', now, 0, {}, '0' } end -- gone, or a tombstone
local holding = seen[10] and not seen[6] -- and not the state: who began it may have died, or never heard the answer
local verdict, wait = 'go', 0
if isTerminal(state) then
  verdict = 'terminal'
elseif holding and not seen[8] and tonumber(seen[10]) > now then
  verdict = 'held'
  wait = tonumber(seen[10]) - now
elseif tonumber(seen[2] or '0') > now and not seen[8] then
  verdict = 'wait'
  wait = tonumber(seen[2]) - now
else
  local run = ARGV[1] .. '/' .. ARGV[2]
  local starts = tonumber(seen[3] or '0')
  if seen[5] ~= run then
    starts = redis.call('HINCRBY', KEYS[1], 'starts', 1)
    redis.call('HSET', KEYS[1], 'begun', run)
  end
  if holding then verdict = 'unheld' end -- nobody decided in time, or its caller gave it up
  redis.call('HSET', KEYS[1], 'state', 'active')
  if verdict == 'go' and starts - 1 - tonumber(seen[4] or '0') >= tonumber(ARGV[5]) then
    verdict = 'poison'
  elseif verdict == 'go' and not seen[6] and tonumber(seen[7]) <= now and not seen[9] then
    verdict = 'expired'
  elseif verdict == 'go' and not seen[6] and not seen[8] then
    wait = admit(KEYS[4], KEYS[5], KEYS[6], ARGV[3], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7]), now)
  end
end
return { verdict, now, wait, redis.call('HGETALL', KEYS[1]), redis.call('HGET', KEYS[4], 'epoch') or '0' }
