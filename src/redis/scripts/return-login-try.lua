-- Gives back a try to log in that succeeded. A count that has expired meanwhile stays away.
--   KEYS  pair address user
--   ARGV  least
--   →     0
for _, key in ipairs({ pairKey, addressKey, userKey }) do
  if tonumber(redis.call('GET', key) or '0') > tonumber(least) then redis.call('DECR', key) end
end
return 0
