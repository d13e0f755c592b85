-- Asks for admission again, for an attempt that is already running.
--   KEYS  journal gate admitted express sharing
--   ARGV  id lane capacity holdMs
--   →     { ms to wait before asking again; 0 = admitted, epoch of the gate }
--@include now
--@include gate
--@include admission
local tenant, weight = unpack(redis.call('HMGET', journalKey, 'tn', 'weight'))
local gate = readGate(gateKey)
local wait = admit({ gate = gateKey, admitted = admittedKey, express = expressKey, sharing = sharingKey }, gate, id,
  { lane = lane, tenant = tenant or '', weight = weight or '1' }, tonumber(capacity), tonumber(holdMs), clock())
return { wait, gate.epoch or '0' }
