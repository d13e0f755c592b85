-- The gate of a region and action, a hash: { state = open | closed, epoch, code, since, nextProbe, probes, by, why, prober,
-- proberUntil, paused, pausedBy, pausedWhy, tat, pace, paceAt, budget, waived }.
-- Trouble with the account closes the gate. From time to time, a closed gate lets one verification pass: the prober, which holds
-- a lease on the probe. An operator's pause stops every call, even if the gate is open.
local PROBER_MS = 60000

local GATE_FIELDS = { 'state', 'epoch', 'code', 'nextProbe', 'prober', 'proberUntil', 'paused', 'tat', 'pace', 'paceAt', 'waived' }

local function readGate(gateKey)
  local values, gate = redis.call('HMGET', gateKey, unpack(GATE_FIELDS)), {}
  for i, field in ipairs(GATE_FIELDS) do gate[field] = values[i] end
  return gate
end

-- gate: from readGate
-- → 0: the call may pass; > 0: ms until it is worth asking again
local function gateDenies(gateKey, gate, id, now)
  if gate.paused then return 1000 end
  if gate.state ~= 'closed' then return 0 end
  if gate.prober and tonumber(gate.proberUntil) > now then
    if gate.prober == id then return 0 end
    return 500
  end
  local left = tonumber(gate.nextProbe) - now
  if left > 0 then return math.min(math.max(left, 20), 1000) end
  redis.call('HSET', gateKey, 'prober', id, 'proberUntil', now + PROBER_MS)
  return 0
end

-- Ends the probe of a prober that got no answer from the vendor, so that another verification may probe.
local function releaseProbe(gateKey, id)
  if redis.call('HGET', gateKey, 'prober') == id then redis.call('HDEL', gateKey, 'prober', 'proberUntil') end
end
