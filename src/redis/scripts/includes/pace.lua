-- The pace: 1 at full speed, and more after the vendor has throttled a call. At pace 2, half as many calls are sent. The part
-- above 1 halves every 30 s.
local function paceOf(gateKey, now)
  local pace, setAt = unpack(redis.call('HMGET', gateKey, 'pace', 'paceAt'))
  if not pace then return 1 end
  local value = 1 + (tonumber(pace) - 1) * 0.5 ^ ((now - tonumber(setAt)) / 30000)
  return value < 1.02 and 1 or value
end

-- Reacts to throttling by the vendor: stops calls for `restMs`, and then slows the pace.
local function slowDown(gateKey, now, restMs)
  local tat = tonumber(redis.call('HGET', gateKey, 'tat') or '0')
  local pace = math.min(paceOf(gateKey, now) * 1.25, 4)
  redis.call('HSET', gateKey, 'tat', tostring(math.max(tat, now + restMs)), 'pace', tostring(pace), 'paceAt', now)
end
