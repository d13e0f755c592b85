-- Asks again for admission, in place.
--   KEYS  admitted, express
--   ARGV  id, lane, capacity, hold ms
--   →     ms to wait before asking again; 0 = admitted
--@include now
--@include admission
return admit(KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), clock())
