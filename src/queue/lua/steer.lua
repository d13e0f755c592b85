-- What an operator does to a gate.
--   KEYS  gate
--   ARGV  open | close | pause | resume, by, why
--   →     done | as it was
-- `close` is as if the account were in trouble: probes open it again. `pause` lets nobody through until `resume`.
--@include now
local now = clock()
local gate = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'paused')
local epoch = tonumber(gate[2] or '0')
if ARGV[1] == 'open' then
  if gate[1] ~= 'closed' then return 'as it was' end
  redis.call('HSET', KEYS[1], 'state', 'open', 'epoch', epoch + 1, 'by', ARGV[2], 'why', ARGV[3])
  redis.call('HDEL', KEYS[1], 'code', 'since', 'nextProbe', 'probes', 'prober', 'proberUntil')
elseif ARGV[1] == 'close' then
  if gate[1] == 'closed' then return 'as it was' end
  redis.call('HSET', KEYS[1], 'state', 'closed', 'epoch', epoch + 1, 'code', 'CLOSED_BY_OPERATOR', 'since', now,
    'nextProbe', now + 60000, 'probes', 5, 'by', ARGV[2], 'why', ARGV[3])
elseif ARGV[1] == 'pause' then
  if gate[3] then return 'as it was' end
  redis.call('HSET', KEYS[1], 'paused', now, 'pausedBy', ARGV[2], 'pausedWhy', ARGV[3])
else
  if not gate[3] then return 'as it was' end
  redis.call('HDEL', KEYS[1], 'paused', 'pausedBy', 'pausedWhy')
end
return 'done'
