-- Asks again for admission, in place.
--   KEYS  gate, admitted, express
--   ARGV  id, lane, capacity, hold ms
--   →     { ms to wait before asking again; 0 = admitted, epoch of the gate }
--@include now
--@include gate
--@include admission
local wait = admit(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), clock())
return { wait, redis.call('HGET', KEYS[1], 'epoch') or '0' }
