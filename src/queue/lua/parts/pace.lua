-- How much slower than its limit a rate goes: 1, or more after the vendor throttled all the same. Halves its distance to 1
-- every 30 s.
local function paceOf(gateKey, now)
  local pace = redis.call('HMGET', gateKey, 'pace', 'paceAt')
  if not pace[1] then return 1 end
  local value = 1 + (tonumber(pace[1]) - 1) * 0.5 ^ ((now - tonumber(pace[2])) / 30000)
  return value < 1.02 and 1 or value
end

-- The vendor throttled: nobody calls for `restMs`, and then more slowly.
local function slowDown(gateKey, now, restMs)
  local tat = tonumber(redis.call('HGET', gateKey, 'tat') or '0')
  local pace = math.min(paceOf(gateKey, now) * 1.25, 4)
  redis.call('HSET', gateKey, 'tat', tostring(math.max(tat, now + restMs)), 'pace', tostring(pace), 'paceAt', now)
end
