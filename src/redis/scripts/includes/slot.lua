-- Slots keep a rate limit of n calls per second: a slot is the time at which one call may be sent. Slots are dealt out to n lanes
-- in turn. In each lane, slots are `laneMs` apart, a little over a second, so no second contains two calls of one lane. A late
-- call delays only its own lane; the other lanes keep their slots. A lane that has fallen behind by a whole turn is left out until
-- it has caught up, so a slot that is taken later is at most one turn (`laneMs`) earlier.
-- rate: { lanes, laneMs, soonMs }, see readRate; no slot is earlier than `soonMs` from now.

-- Reads the rate from a script's arguments. The distance between the slots of a lane grows after the vendor has throttled a call
-- (includes/pace).
local function readRate(gateKey, now, lanes, laneMs, soonMs)
  return { lanes = tonumber(lanes), laneMs = tonumber(laneMs) * paceOf(gateKey, now), soonMs = tonumber(soonMs) }
end

-- Takes the next slot. The slot may still move, if the previous call in its lane is late.
-- → lane, slot (ms since 1970)
local function takeSlot(gateKey, now, rate)
  local lane, earliest, free
  local tries = 0
  repeat
    lane = redis.call('HINCRBY', gateKey, 'taken', 1) % rate.lanes
    local tat, at = unpack(redis.call('HMGET', gateKey, 'tat', 'free:' .. lane))
    earliest, free = math.max(now + rate.soonMs, tonumber(tat or '0')), tonumber(at or '0')
    tries = tries + 1
  until free < earliest + rate.laneMs or tries >= rate.lanes
  local slot = math.ceil(math.max(earliest, free))
  redis.call('HSET', gateKey, 'tat', tostring(earliest + rate.laneMs / rate.lanes), 'free:' .. lane, tostring(slot + rate.laneMs))
  return lane, slot
end

-- The current time of a slot. It is later than the time from takeSlot if the slot's call or the previous call in the lane is
-- late.
-- missed: a slot that this call had settled and then missed, or nil. If the missed slot is the last settled slot of the lane, it
-- is ignored, because the new slot need not keep a distance from a call that was not sent.
local function movedSlot(gateKey, now, rate, lane, slot, missed)
  local last = tonumber(redis.call('HGET', gateKey, 'last:' .. lane) or '0')
  if last == missed then last = 0 end
  return math.ceil(math.max(slot, now + rate.soonMs, last + rate.laneMs))
end

-- Settles a slot: its time is final, and the next slot in the lane is at least `laneMs` later.
local function settleSlot(gateKey, rate, lane, slot)
  local free = tonumber(redis.call('HGET', gateKey, 'free:' .. lane) or '0')
  local after = slot + rate.laneMs
  redis.call('HSET', gateKey, 'last:' .. lane, slot, 'free:' .. lane, tostring(math.max(free, after)))
end
