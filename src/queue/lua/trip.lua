-- Trouble with the account: closes the gate, or, told by its prober, keeps it closed for longer.
--   KEYS  gate, counters
--   ARGV  id, epoch that the caller saw, code, first and longest wait between probes ms
--   →     tripped | probed (closed still) | closed (somebody was first) | stale (it was opened since the caller looked)
-- Compare-and-set on the epoch: what a call from before an opening says about the account is out of date.
--@include now
local now = clock()
local gate = redis.call('HMGET', KEYS[1], 'state', 'epoch', 'prober', 'probes')
if (gate[2] or '0') ~= ARGV[2] then return 'stale' end
if gate[1] == 'closed' then
  if gate[3] ~= ARGV[1] then return 'closed' end
  local probes = tonumber(gate[4] or '0') + 1
  local wait = math.min(tonumber(ARGV[4]) * 2 ^ probes, tonumber(ARGV[5]))
  redis.call('HSET', KEYS[1], 'probes', probes, 'nextProbe', now + wait, 'code', ARGV[3])
  redis.call('HDEL', KEYS[1], 'prober', 'proberUntil')
  return 'probed'
end
redis.call('HSET', KEYS[1], 'state', 'closed', 'epoch', tonumber(ARGV[2]) + 1, 'code', ARGV[3], 'since', now,
  'nextProbe', now + tonumber(ARGV[4]), 'probes', 0, 'by', 'breaker')
redis.call('HDEL', KEYS[1], 'prober', 'proberUntil', 'why')
redis.call('HINCRBY', KEYS[2], 'gateClosed', 1)
return 'tripped'
