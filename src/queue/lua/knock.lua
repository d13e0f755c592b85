-- May an endpoint be called? One that failed too often in a row rests, for all workers; then one delivery at a time probes it.
--   KEYS  endpoint
--   ARGV  who, how long a probe may take ms
--   →     { 'go', 0 } | { 'rests', ms until it is worth asking again } | { 'disabled', 0 }
-- The endpoint: { fails, rests, until, prober, proberUntil, disabled, code, by }; none where all is well.
--@include now
local seen = redis.call('HMGET', KEYS[1], 'disabled', 'until', 'prober', 'proberUntil')
if seen[1] then return { 'disabled', 0 } end
if not seen[2] then return { 'go', 0 } end
local now = clock()
local left = tonumber(seen[2]) - now
if left > 0 then return { 'rests', left } end
if seen[3] and seen[3] ~= ARGV[1] and tonumber(seen[4]) > now then return { 'rests', tonumber(seen[4]) - now } end
redis.call('HSET', KEYS[1], 'prober', ARGV[1], 'proberUntil', now + tonumber(ARGV[2]))
return { 'go', 0 }
