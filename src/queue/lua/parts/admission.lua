-- Admission comes before upload: at most `capacity` verifications are uploaded and not yet detected. An interactive one
-- stands in `express` from its claim until it is admitted, and while anyone stands there no batch one is admitted.
-- A gate that is closed or paused admits nobody but its prober. Members expire, so that a killed worker or a producer that died between claim and add blocks nobody for long.
local function admit(gateKey, admittedKey, expressKey, id, lane, capacity, holdMs, now)
  local denied = gateDenies(gateKey, id, now)
  if denied > 0 then return denied end
  redis.call('ZREMRANGEBYSCORE', admittedKey, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', expressKey, '-inf', now)
  if not redis.call('ZSCORE', admittedKey, id) and lane ~= 'interactive' then
    if redis.call('ZCARD', expressKey) > 0 then return 50 end
    if redis.call('ZCARD', admittedKey) >= capacity then return 100 end
  end
  redis.call('ZADD', admittedKey, now + holdMs, id)
  redis.call('ZREM', expressKey, id)
  return 0
end
