-- Whether a call may be made that is no verification's (GenerateReflectSequence), and its slot of the rate.
--   KEYS  gate
--   ARGV  id, most that its slot may be away ms, lanes (0: no slot is taken yet), lane ms, soon ms (see parts/slot)
--   →     { 'go', now, epoch of the gate, prober of it (1 | 0), slot (0: none was taken) }
--         | { 'closed', now, code } | { 'busy', now, '' }
-- Nobody waits here: whoever asks stands in front of a phone, and is told at once.
--@include now
--@include gate
--@include pace
--@include slot
local now = clock()
local denied = gateDenies(KEYS[1], ARGV[1], now)
local gate = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'code', 'tat')
if denied > 0 then return { 'closed', now, gate[3] or 'PAUSED_BY_OPERATOR' } end
if tonumber(gate[4] or '0') - now > tonumber(ARGV[2]) then
  releaseProbe(KEYS[1], ARGV[1])
  return { 'busy', now, '' }
end
local slot = 0
if ARGV[3] ~= '0' then
  local rate = { lanes = tonumber(ARGV[3]), laneMs = tonumber(ARGV[4]), soonMs = tonumber(ARGV[5]) }
  local _, taken = takeSlot(KEYS[1], now, rate)
  slot = taken
end
return { 'go', now, gate[1] or '0', gate[2] == 'closed' and 1 or 0, slot }
