-- Slots keep a rate limit of n calls per second: a slot is the time at which one call may be sent. Slots are dealt out to n lanes
-- in turn. In each lane, slots are `laneMs` apart, a little over a second, so no second contains two calls of one lane. A late
-- call delays only its own lane; the other lanes keep their slots. A lane that has fallen behind by a whole turn is left out until
-- it has caught up; if all lanes have, the one that is free first is taken. So a slot that is taken later is less than one turn
-- (`laneMs`) earlier.
-- rate: { lanes, laneMs, soonMs }, see readRate; no slot is earlier than `soonMs` from now.

-- Reads the rate from a script's arguments. The distance between the slots of a lane grows after the vendor has throttled a call
-- (includes/pace).
local function readRate(gate, now, lanes, laneMs, soonMs)
  return { lanes = tonumber(lanes), laneMs = tonumber(laneMs) * paceOf(gate, now), soonMs = tonumber(soonMs) }
end

-- → { number, free: time from which the lane has no slot yet, last: its last settled slot }; times in ms since 1970
local function readLane(gateKey, number)
  local free, last = unpack(redis.call('HMGET', gateKey, 'free:' .. number, 'last:' .. number))
  return { number = number, free = tonumber(free or '0'), last = tonumber(last or '0') }
end

-- Takes the next slot. The slot may still move, if the previous call in its lane is late.
-- gate: from readGate
-- → lane, slot (ms since 1970)
local function takeSlot(gateKey, gate, now, rate)
  local earliest = math.max(now + rate.soonMs, tonumber(gate.tat or '0'))
  local lane
  local tries = 0
  repeat
    local each = readLane(gateKey, redis.call('HINCRBY', gateKey, 'taken', 1) % rate.lanes)
    if not lane or each.free < lane.free then lane = each end
    tries = tries + 1
  until lane.free < earliest + rate.laneMs or tries >= rate.lanes
  local slot = math.ceil(math.max(earliest, lane.free))
  lane.free, gate.tat = slot + rate.laneMs, tostring(earliest + rate.laneMs / rate.lanes)
  redis.call('HSET', gateKey, 'tat', gate.tat, 'free:' .. lane.number, tostring(lane.free))
  return lane, slot
end

-- The current time of a slot. It is later than the time from takeSlot if the slot's call or the previous call in the lane is
-- late.
-- missed: a slot that this call had settled and then missed, or nil. If the missed slot is the last settled slot of the lane, it
-- is ignored, because the new slot need not keep a distance from a call that was not sent.
local function movedSlot(now, rate, lane, slot, missed)
  local last = lane.last == missed and 0 or lane.last
  return math.ceil(math.max(slot, now + rate.soonMs, last + rate.laneMs))
end

-- Settles a slot: its time is final, and the next slot in the lane is at least `laneMs` later.
local function settleSlot(gateKey, rate, lane, slot)
  local free = math.max(lane.free, slot + rate.laneMs)
  redis.call('HSET', gateKey, 'last:' .. lane.number, slot, 'free:' .. lane.number, tostring(free))
end
