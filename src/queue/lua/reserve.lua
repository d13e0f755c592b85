-- Takes the next slot of a rate, for a call that has no intent (CreateUploadUrl).
--   KEYS  gate
--   ARGV  lanes, lane ms, soon ms (see parts/slot)
--   →     { now, slot } in ms since 1970
--@include now
--@include pace
--@include slot
local now = clock()
local rate = { lanes = tonumber(ARGV[1]), laneMs = tonumber(ARGV[2]), soonMs = tonumber(ARGV[3]) }
local _, slot = takeSlot(KEYS[1], now, rate)
return { now, slot }
