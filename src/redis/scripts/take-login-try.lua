-- Counts a try to log in as failed, unless too many have failed already. A try that succeeds is given back.
--   KEYS  pair address user
--   ARGV  pairLimit addressLimit userLimit windowMs
--   →     0: check the login | > 0: ms until the next try may be checked
local counts = { { pairKey, pairLimit }, { addressKey, addressLimit }, { userKey, userLimit } }
local wait = 0
for _, count in ipairs(counts) do
  if tonumber(redis.call('GET', count[1]) or '0') >= tonumber(count[2]) then
    wait = math.max(wait, redis.call('PTTL', count[1]))
  end
end
if wait > 0 then return wait end
for _, count in ipairs(counts) do
  if redis.call('INCR', count[1]) == 1 then redis.call('PEXPIRE', count[1], windowMs) end
end
return 0
