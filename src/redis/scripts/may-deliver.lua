-- May an endpoint be called? After too many failures in a row the endpoint rests: no worker calls it. After the rest, one
-- delivery at a time is sent as a probe.
--   KEYS  endpoint
--   ARGV  deliveryId probeMs
--         probeMs: how long a probe may take
--   →     { 'go', 0 } | { 'rests', ms until it is worth asking again } | { 'disabled', 0 }
-- The endpoint is a hash: { fails, rests, until, prober, proberUntil, disabled, code, by }. It is absent if nothing has failed.
--@include now
local disabled, restsUntil, prober, proberUntil =
  unpack(redis.call('HMGET', endpointKey, 'disabled', 'until', 'prober', 'proberUntil'))
if disabled then return { 'disabled', 0 } end
if not restsUntil then return { 'go', 0 } end
local now = clock()
local left = tonumber(restsUntil) - now
if left > 0 then return { 'rests', left } end
if prober and prober ~= deliveryId and tonumber(proberUntil) > now then return { 'rests', tonumber(proberUntil) - now } end
redis.call('HSET', endpointKey, 'prober', deliveryId, 'proberUntil', now + tonumber(probeMs))
return { 'go', 0 }
