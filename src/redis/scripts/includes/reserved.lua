-- Tenants share the slots of a gate. A verification that is ready to call reserves the next free slot. If another tenant has more
-- slots before it, it moves forward: its tenant's n-th slot comes before the (n + 1)-th slot of every other tenant (by weight). The
-- verifications that it overtakes move back by one slot of their own tenant. They learn this when they ask again, shortly before the
-- slot that they knew.
-- reserved: hash of slots that are not settled yet, id → '<time>|<lane>|<tenant>|<weight>'

local function readReserved(reservedKey, now)
  local entries, list = redis.call('HGETALL', reservedKey), {}
  for i = 1, #entries, 2 do
    local at, lane, tenant, weight = string.match(entries[i + 1], '^(.-)|(.-)|(.-)|(.-)$')
    if tonumber(at) < now then
      redis.call('HDEL', reservedKey, entries[i]) -- missed: it gets a later slot when it asks
    else
      list[#list + 1] = { id = entries[i], at = tonumber(at), lane = lane, tenant = tenant, weight = tonumber(weight) }
    end
  end
  table.sort(list, function(a, b) return a.at < b.at or (a.at == b.at and a.id < b.id) end)
  return list
end

local function writeReserved(reservedKey, id, slot, tenant, weight)
  redis.call('HSET', reservedKey, id, table.concat({ string.format('%.0f', slot.at), slot.lane, tenant, weight }, '|'))
end

-- → the verifications, all of one other tenant, that the `own`-th slot of `tenant` comes before; earliest slot first
local function overtakenBy(list, tenant, own, weight, earliest)
  local counts, found = {}, {}
  for _, each in ipairs(list) do
    counts[each.tenant] = (counts[each.tenant] or 0) + 1
    local isLater = each.tenant ~= tenant and counts[each.tenant] / each.weight > own / weight
    local isFirst = #found == 0 and isLater and each.at >= earliest
    if isFirst or (#found > 0 and found[1].tenant == each.tenant) then found[#found + 1] = each end
  end
  return found
end

-- The caller adds its own entry if it must wait for the slot.
-- → lane (see readLane), slot (ms since 1970)
local function reserveSlot(gateKey, reservedKey, gate, now, rate, id, tenant, weight)
  local list = readReserved(reservedKey, now)
  local own = 1
  for _, each in ipairs(list) do
    if each.tenant == tenant then own = own + 1 end
    if each.id == id then redis.call('HDEL', reservedKey, id) end -- of an attempt that has died
  end
  local lane, at = takeSlot(gateKey, gate, now, rate)
  local slot = { lane = lane.number, at = at }
  local overtaken = overtakenBy(list, tenant, own, tonumber(weight), now + rate.soonMs)
  for i = #overtaken, 1, -1 do
    local each = overtaken[i]
    writeReserved(reservedKey, each.id, slot, each.tenant, each.weight)
    slot = each
  end
  if #overtaken > 0 then lane = readLane(gateKey, tonumber(slot.lane)) end
  return lane, slot.at
end

-- → lane and time of a slot that was reserved before. known: what the verification was told
local function reservedSlot(reservedKey, id, knownLane, knownAt)
  local at, lane = string.match(redis.call('HGET', reservedKey, id) or '', '^(.-)|(.-)|')
  if not at then return knownLane, knownAt end
  return tonumber(lane), tonumber(at)
end
