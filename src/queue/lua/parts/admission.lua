-- Admission comes before upload: at most `capacity` verifications are uploaded and not yet detected. An interactive one
-- stands in `express` from its claim until it is admitted, and while anyone stands there no batch one is admitted.
-- But where nobody is admitted, no slot comes free by itself: batch ones may have them all, waiting for one who waits for a slot.
-- A gate that is closed or paused admits nobody but its prober. Members expire, so that a killed worker or a producer that died between claim and add blocks nobody for long.
local EXPRESS_MS = 15000 -- a place in express, from the claim; the client's EXPRESS_HOLD_MS
local PATIENCE_MS = 5000 -- by then one whose call was out has ended, and given its slot up

local function admit(gateKey, admittedKey, expressKey, id, lane, capacity, holdMs, now)
  local denied = gateDenies(gateKey, id, now)
  if denied > 0 then return denied end
  redis.call('ZREMRANGEBYSCORE', admittedKey, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', expressKey, '-inf', now)
  if not redis.call('ZSCORE', admittedKey, id) and lane ~= 'interactive' then
    local ahead = redis.call('ZCARD', admittedKey)
    local stands = redis.call('ZRANGE', expressKey, 0, 0, 'WITHSCORES')[2]
    if stands and (ahead > 0 or tonumber(stands) - now > EXPRESS_MS - PATIENCE_MS) then return 50 end
    if ahead >= capacity then return 100 end
  end
  redis.call('ZADD', admittedKey, now + holdMs, id)
  redis.call('ZREM', expressKey, id)
  return 0
end
