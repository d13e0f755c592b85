-- The gate of a region and action, a hash: { state = open | closed, epoch, code, since, nextProbe, probes, by, why, prober,
-- proberUntil, paused, pausedBy, pausedWhy, tat, pace, paceAt, budget, waived }.
-- Trouble with the account closes the gate. From time to time, a closed gate lets one verification pass: the prober, which holds
-- a lease on the probe. An operator's pause stops every call, even if the gate is open.
local PROBER_MS = 60000

-- → 0: the call may pass; > 0: ms until it is worth asking again
local function gateDenies(gateKey, id, now)
  local paused, state, nextProbe, prober, proberUntil =
    unpack(redis.call('HMGET', gateKey, 'paused', 'state', 'nextProbe', 'prober', 'proberUntil'))
  if paused then return 1000 end
  if state ~= 'closed' then return 0 end
  if prober and tonumber(proberUntil) > now then
    if prober == id then return 0 end
    return 500
  end
  local left = tonumber(nextProbe) - now
  if left > 0 then return math.min(math.max(left, 20), 1000) end
  redis.call('HSET', gateKey, 'prober', id, 'proberUntil', now + PROBER_MS)
  return 0
end

-- Ends the probe of a prober that got no answer from the vendor, so that another verification may probe.
local function releaseProbe(gateKey, id)
  if redis.call('HGET', gateKey, 'prober') == id then redis.call('HDEL', gateKey, 'prober', 'proberUntil') end
end
