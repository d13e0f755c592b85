-- Takes the next slots within a rate limit, for calls without an intent (CreateUploadUrl).
--   KEYS  gate
--   ARGV  lanes laneMs soonMs count
--         lanes, laneMs, soonMs: see includes/slot
--   →     { now, slot, … } in ms since 1970
--@include now
--@include gate
--@include pace
--@include slot
local now = clock()
local gate = readGate(gateKey)
local rate = readRate(gate, now, lanes, laneMs, soonMs)
local reply = { now }
for i = 1, tonumber(count) do
  local _, slot = takeSlot(gateKey, gate, now, rate)
  reply[i + 1] = slot
end
return reply
