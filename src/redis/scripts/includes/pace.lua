-- The pace: 1 at full speed, and more after the vendor has throttled a call. At pace 2, half as many calls are sent. The part
-- above 1 halves every 30 s.
-- gate: from readGate
local function paceOf(gate, now)
  if not gate.pace then return 1 end
  local value = 1 + (tonumber(gate.pace) - 1) * 0.5 ^ ((now - tonumber(gate.paceAt)) / 30000)
  return value < 1.02 and 1 or value
end

-- Reacts to throttling by the vendor: stops calls for `restMs`, and then slows the pace.
local function slowDown(gateKey, now, restMs)
  local gate = readGate(gateKey)
  local tat = tonumber(gate.tat or '0')
  local pace = math.min(paceOf(gate, now) * 1.25, 4)
  redis.call('HSET', gateKey, 'tat', tostring(math.max(tat, now + restMs)), 'pace', tostring(pace), 'paceAt', now)
end
