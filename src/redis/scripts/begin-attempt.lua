-- Every attempt calls this script first. It says whether the attempt may continue, returns the journal, and asks for admission.
--   KEYS  journal lock job gate admitted express sharing breakers turns
--   ARGV  token ats id lane crashBudget capacity holdMs
--   →     { verdict, now, waitMs, journal as field, value, …, epoch of the gate, epoch of the breakers, names of open breakers }
--   verdict: lost | missing | terminal | held | wait (for `waitMs`) | poison | expired
--            | hold_expired (it was held, and nobody decided) | go (waitMs > 0: not admitted yet)
-- Idempotent by (token, ats): if the same attempt calls the script again, no second start is counted.
-- A run that died counts towards `crashBudget` only if it was alone in its process (`mark-alone`). Otherwise another run in that
-- process may have caused the crash.
--@include now
--@include fence
--@include terminal
--@include gate
--@include admission
--@include turn
if not ownsJob(lockKey, jobKey, token, ats) then return { 'lost', 0, 0, {}, '0', '0', '' } end
local now = clock()
local state, notBefore, begun, decided, deadline, cancelled, open, heldUntil, alone, crashedText, turn, tenant, weight, started, starts, parked =
  unpack(redis.call('HMGET', journalKey, 'state', 'notBefore', 'begun', 's:detect', 'deadline', 'cancel',
    'open', 'heldUntil', 'alone', 'crashed', 'turn', 'tn', 'weight', 's:start', 'starts', 'parked'))
if not state then return { 'missing', now, 0, {}, '0', '0', '' } end -- expired, or a tombstone
-- `held` depends on heldUntil, not on the state: a run with the verdict `hold_expired` sets the state to `active`, and may die
-- before it ends the verification. The next run must then get the same verdict.
local held = heldUntil and not decided
local verdict, wait = 'go', 0
local gate = readGate(gateKey)
if isTerminal(state) then
  verdict = 'terminal'
elseif held and not cancelled and tonumber(heldUntil) > now then
  verdict = 'held'
  wait = tonumber(heldUntil) - now
elseif tonumber(notBefore or '0') > now and not cancelled then
  verdict = 'wait'
  wait = tonumber(notBefore) - now
else
  local run = token .. '/' .. ats
  local crashed = tonumber(crashedText or '0')
  local fields = { 'state', 'active', 'begun', run }
  if begun ~= run then
    fields[5], fields[6] = 'starts', tonumber(starts or '0') + 1
    turnBegins(turnsKey, lane, turn)
    if alone then
      crashed = redis.call('HINCRBY', journalKey, 'crashed', 1)
      redis.call('HDEL', journalKey, 'alone')
    end
  end
  if held then verdict = 'hold_expired' end -- no operator decided in time, or the caller cancelled the verification
  redis.call('HSET', journalKey, unpack(fields))
  if parked then redis.call('HDEL', journalKey, 'parked') end
  if verdict == 'go' and crashed >= tonumber(crashBudget) then
    verdict = 'poison'
  elseif verdict == 'go' and not decided and not started and tonumber(deadline) <= now and not open then
    -- A session with a token is never expired here: its result is asked for once more, and then decided.
    verdict = 'expired'
  elseif verdict == 'go' and not decided and not cancelled then
    wait = admit({ gate = gateKey, admitted = admittedKey, express = expressKey, sharing = sharingKey }, gate, id,
      { lane = lane, tenant = tenant or '', weight = weight or '1' }, tonumber(capacity), tonumber(holdMs), now)
  end
end
local breakersEpoch, openBreakers = unpack(redis.call('HMGET', breakersKey, '#', '#open'))
return {
  verdict, now, wait, redis.call('HGETALL', journalKey), gate.epoch or '0', breakersEpoch or '0',
  openBreakers or '',
}
