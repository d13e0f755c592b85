-- Reserves the next slots of a rate (GCRA, burst 1).
--   KEYS  gate
--   ARGV  interval ms, number of slots
--   →     { now, first slot, second slot, … } in ms since 1970
--@include now
--@include pace
local now = clock()
local tat = math.max(now, tonumber(redis.call('HGET', KEYS[1], 'tat') or '0'))
local slots = { now }
for i = 1, tonumber(ARGV[2]) do
  slots[i + 1] = math.ceil(tat)
  tat = tat + tonumber(ARGV[1]) * paceOf(KEYS[1], now)
end
redis.call('HSET', KEYS[1], 'tat', tostring(tat))
return slots
