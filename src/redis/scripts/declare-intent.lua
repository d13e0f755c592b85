-- Declares a paid call (the intent) before the call is made. A verification has at most one open intent, and at most
-- `maxPayments` calls that were or may have been paid. The calls of its second opinion have a count and a limit of their own.
--   KEYS  journal lock job history gate admitted reserved answered breakers counters costsDay costsMonth budget
--   ARGV  token ats generation id intentId preflight entry callMs slotLane slotAt maxPayments lanes laneMs soonMs aheadMs packageDigest packageTtlMs photoRetries dependency mayProbe passed windowMs place charge budgets counts
--         preflight: outcome of the md5 stage, JSON, or '' if the plan has no such stage; entry: its history entry, or ''
--         slotLane, slotAt: from an earlier answer `slot`, or '' and 0; see includes/reserved
--         lanes, laneMs, soonMs: see includes/slot; aheadMs: the intent is declared at most this long before its slot
--         packageDigest: of the liveness package, or '' to allow reuse of the package; photoRetries: see includes/answered
--         dependency, mayProbe: see ask-breakers; passed, windowMs: dependencies that worked, see includes/breaker
--         counts: see includes/counts
--         place: 'region|action'; charge: JSON { currency, micros, day, dayEnds, month, monthEnds }; budgets: see includes/budget
--   →     { 'go', now, deadline of the intent, slot (call no earlier), epoch of the gate, is the gate's prober (1 | 0),
--           label of a budget of which 80 % is spent now, or '' }
--         | { 'slot', now, slot, lane } (wait until shortly before the slot, then ask again with slot and lane)
--         | { 'open', now, deadline of the intent that is already open }
--         | { 'reused', now, time at which another verification got an answer for this package }
--         | { 'closed', now, ms since 1970 when it is worth asking again, code,
--           label of the budget that is spent and has just closed the gate, or '' }
--         | { 'broken', now, ms since 1970 when it is worth asking again, code } (the breaker of the dependency is open)
--         | { 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired', now, 0 }
-- Idempotent by intent id. A slot counts against the vendor's rate limit, which all processes share. A caller takes its slot when
-- it is ready to call, so a slow upload wastes no slot. The intent is declared up to `aheadMs` before the slot, so that neither
-- this round trip nor the preparation after it makes the call late. If a caller still misses its slot, it has sent nothing. It
-- runs this script again with the same intent id, and the open intent gets a later slot.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
--@include pace
--@include slot
--@include reserved
--@include breaker
--@include ledger
--@include budget
--@include answered
--@include counts
local now = clock()
local gate = readGate(gateKey)
local rate = readRate(gate, now, lanes, laneMs, soonMs)
if not ownsJob(lockKey, jobKey, token, ats) then return { 'lost', now, 0 } end
local state, currentGeneration, cancelled, decided, openText, paid, possiblyPaid, deadline, checked, allowed, ownTenant, weight, started, opinion =
  unpack(redis.call('HMGET', journalKey, 'state', 'gen', 'cancel', 's:detect', 'open', counts .. 'paid', counts .. 'maybe',
    'deadline', 's:md5', 'allowed', 'tn', 'weight', 's:start', 's:opinion'))
local tenant = ownTenant or ''
if not state or isTerminal(state) then return { 'ended', now, 0 } end
if currentGeneration ~= generation then return { 'lost', now, 0 } end
if isAnswered(counts, decided or started, opinion) then return { 'decided', now, 0 } end
if counts == OPINION and not decided then return { 'lost', now, 0 } end
breakersPassed(breakersKey, id, passed, windowMs, now)

-- fields: further journal fields to set, as field, value, …
local function declare(intent, lane, warning, fields)
  settleSlot(gateKey, rate, lane, intent.at)
  intent['until'] = intent.at + tonumber(callMs)
  redis.call('HSET', journalKey, 'open', cjson.encode(intent), unpack(fields))
  return { 'go', now, intent['until'], intent.at, intent.epoch, intent.probe, warning }
end

if openText then
  local open = cjson.decode(openText)
  if open.iid ~= intentId then return { 'open', now, open['until'] } end
  local lane = readLane(gateKey, open.lane)
  open.at = movedSlot(now, rate, lane, open.at, open.at)
  return declare(open, lane, '', {})
end
if cancelled then return { 'cancel', now, 0 } end
local spent = tonumber(paid or '0') + tonumber(possiblyPaid or '0')
if spent >= tonumber(maxPayments) + tonumber(allowed or '0') then return { 'exhausted', now, 0 } end
if tonumber(deadline) <= now then return { 'expired', now, 0 } end

if packageDigest ~= '' then
  local answeredAt = usedUpAt(answeredKey, packageDigest, tonumber(photoRetries), now - tonumber(packageTtlMs))
  if answeredAt then return { 'reused', now, answeredAt } end
end
local denied = gateDenies(gateKey, gate, id, now)
if denied > 0 then return { 'closed', now, now + denied, gate.code or 'PAUSED_BY_OPERATOR', '' } end

local breaker = readBreaker(breakersKey, dependency)
local broken = breakerWait(breaker, id, mayProbe == '1', now)
if broken > 0 then return { 'broken', now, now + broken, breaker.code } end

local cost, limits = cjson.decode(charge), cjson.decode(budgets)
local ledger = {
  day = costsDayKey, month = costsMonthKey, currency = cost.currency, micros = cost.micros,
  place = place .. '|' .. tenant, tenant = tenant,
}
local spentUp = spentBudget(ledger, limits, gate.waived)
if spentUp then
  local tripped = closeForBudget(gateKey, countersKey, now, spentUp)
  return { 'closed', now, now + 1000, 'BUDGET_SPENT', tripped and spentUp.label or '' }
end

local lane, slot
if slotLane == '' then
  lane, slot = reserveSlot(gateKey, reservedKey, gate, now, rate, id, tenant, weight or '1')
else
  local number
  number, slot = reservedSlot(reservedKey, id, tonumber(slotLane), tonumber(slotAt))
  lane = readLane(gateKey, number)
end
local moved = movedSlot(now, rate, lane, slot)
if moved > now + tonumber(aheadMs) then
  if slotLane == '' then writeReserved(reservedKey, id, { lane = lane.number, at = slot }, tenant, weight or '1') end
  return { 'slot', now, moved, lane.number }
end
if slotLane ~= '' then redis.call('HDEL', reservedKey, id) end

local fields = {}
if not checked and preflight ~= '' then
  fields = { 's:md5', preflight }
  remember(historyKey, entry)
end
redis.call('ZREM', admittedKey, id)
takeProbe(breakersKey, dependency, breaker, id, now)
if cost.currency ~= '' then
  fields[#fields + 1] = counts .. 'price'
  fields[#fields + 1] = cost.micros .. ' ' .. cost.currency
end
book(ledger, { maybe = 1 })
if showPeriods(budgetKey, cost, limits, budgets) then expireLedger(ledger) end
return declare({
  iid = intentId, gen = tonumber(generation), lane = lane.number, at = moved, epoch = gate.epoch or '0',
  probe = gate.state == 'closed' and 1 or 0, counts = counts,
}, lane, budgetWarning(ledger, limits), fields)
