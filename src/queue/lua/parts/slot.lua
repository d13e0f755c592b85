-- A limit of n calls a second is n lanes. In each a call follows the one before it by `laneMs`, which is somewhat more than a
-- second: so no second holds two calls of a lane; and a call that is late delays its own lane only, and no turn is lost.
-- rate: { lanes, laneMs, soonMs }; no slot is sooner than `soonMs` from now.

-- Takes the next slot. It is the caller's, but may still move: the call before it in its lane may come to be late.
-- → lane, slot (ms since 1970)
local function takeSlot(gateKey, now, rate)
  local lane = redis.call('HINCRBY', gateKey, 'taken', 1) % rate.lanes
  local seen = redis.call('HMGET', gateKey, 'tat', 'free:' .. lane)
  local laneMs = rate.laneMs * paceOf(gateKey, now)
  local tat = math.max(now + rate.soonMs, tonumber(seen[1] or '0'))
  local slot = math.ceil(math.max(tat, tonumber(seen[2] or '0')))
  redis.call('HSET', gateKey, 'tat', tostring(tat + laneMs / rate.lanes), 'free:' .. lane, tostring(slot + laneMs))
  return lane, slot
end

-- Where a slot is by now: later, if this caller is late, or the call before it in the lane was.
-- `mine`: the caller's own settled slot, where it has missed that, else nil: what was before it is a whole turn earlier.
local function movedSlot(gateKey, now, rate, lane, slot, mine)
  local last = tonumber(redis.call('HGET', gateKey, 'last:' .. lane) or '0')
  if last == mine then last = 0 end
  return math.ceil(math.max(slot, now + rate.soonMs, last + rate.laneMs * paceOf(gateKey, now)))
end

-- From now on the lane's next call keeps its distance from this one.
local function settleSlot(gateKey, now, rate, lane, slot)
  local free = tonumber(redis.call('HGET', gateKey, 'free:' .. lane) or '0')
  local after = slot + rate.laneMs * paceOf(gateKey, now)
  redis.call('HSET', gateKey, 'last:' .. lane, slot, 'free:' .. lane, tostring(math.max(free, after)))
end
