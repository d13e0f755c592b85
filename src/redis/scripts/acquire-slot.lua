-- May a call outside any verification be made now (GenerateReflectSequence)? If so, gives it a slot within the rate limit.
--   KEYS  gate
--   ARGV  id mostWaitMs lanes laneMs soonMs
--         mostWaitMs: longest wait for a slot
--         lanes: if 0, only the gate is checked, and no slot is taken; for lanes, laneMs and soonMs see includes/slot
--   →     { 'go', now, epoch of the gate, call is the gate's prober (1 | 0), slot (0: none was taken) }
--         | { 'closed', now, code } | { 'busy', now, '' }
-- If no slot is near, the answer is `busy` at once and the call is not queued, because a person is waiting with a phone.
--@include now
--@include gate
--@include pace
--@include slot
local now = clock()
local gate = readGate(gateKey)
local denied = gateDenies(gateKey, gate, id, now)
if denied > 0 then return { 'closed', now, gate.code or 'PAUSED_BY_OPERATOR' } end
if tonumber(gate.tat or '0') - now > tonumber(mostWaitMs) then
  releaseProbe(gateKey, id)
  return { 'busy', now, '' }
end
local slot = 0
if lanes ~= '0' then
  local rate = { lanes = tonumber(lanes), laneMs = tonumber(laneMs), soonMs = tonumber(soonMs) }
  local _, taken = takeSlot(gateKey, gate, now, rate)
  slot = taken
end
return { 'go', now, gate.epoch or '0', gate.state == 'closed' and 1 or 0, slot }
