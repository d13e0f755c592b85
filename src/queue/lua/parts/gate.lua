-- The gate of a region and action: { state = open | closed, epoch, code, since, nextProbe, probes, by, why, prober,
-- proberUntil, paused, pausedBy, pausedWhy, tat, pace, paceAt }. Closed by trouble with the account, it lets one verification
-- through from time to time, the prober, under a lease. An operator's pause lets nobody through, whatever the breaker does.
-- → 0: pass. > 0: ms until it is worth asking again.
local PROBER_MS = 60000
local function gateDenies(gateKey, id, now)
  local gate = redis.call('HMGET', gateKey, 'paused', 'state', 'nextProbe', 'prober', 'proberUntil')
  if gate[1] then return 1000 end
  if gate[2] ~= 'closed' then return 0 end
  if gate[4] and tonumber(gate[5]) > now then
    if gate[4] == id then return 0 end
    return 500
  end
  local left = tonumber(gate[3]) - now
  if left > 0 then return math.min(math.max(left, 20), 1000) end
  redis.call('HSET', gateKey, 'prober', id, 'proberUntil', now + PROBER_MS)
  return 0
end

-- A prober that ends without having asked the vendor makes room for another.
local function releaseProbe(gateKey, id)
  if redis.call('HGET', gateKey, 'prober') == id then redis.call('HDEL', gateKey, 'prober', 'proberUntil') end
end
