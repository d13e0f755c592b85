-- Asks for admission again, for an attempt that is already running.
--   KEYS  gate admitted express
--   ARGV  id lane capacity holdMs
--   →     { ms to wait before asking again; 0 = admitted, epoch of the gate }
--@include now
--@include gate
--@include admission
local wait = admit(gateKey, admittedKey, expressKey, id, lane, tonumber(capacity), tonumber(holdMs), clock())
return { wait, redis.call('HGET', gateKey, 'epoch') or '0' }
