-- Takes the next slots of a rate, for calls that have no intent (CreateUploadUrl).
--   KEYS  gate
--   ARGV  lanes, lane ms, soon ms (see parts/slot), how many
--   →     { now, slot, … } in ms since 1970
--@include now
--@include pace
--@include slot
local now = clock()
local rate = { lanes = tonumber(ARGV[1]), laneMs = tonumber(ARGV[2]), soonMs = tonumber(ARGV[3]) }
local reply = { now }
for i = 1, tonumber(ARGV[4]) do
  local _, slot = takeSlot(KEYS[1], now, rate)
  reply[i + 1] = slot
end
return reply
