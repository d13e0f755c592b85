-- Takes a report of trouble with the account, and closes the gate. If the gate's prober sent the report, the gate stays closed
-- for longer.
--   KEYS  gate counters
--   ARGV  id epoch code firstProbeMs longestProbeMs
--         epoch: the gate's epoch when the verification or call began
--   →     tripped | probed (still closed) | closed (another caller was first) | stale (reopened since then)
-- The report counts only if the epoch is unchanged: if the gate reopened after the call began, the call's failure is out of date.
--@include now
local now = clock()
local state, currentEpoch, prober, probesText =
  unpack(redis.call('HMGET', gateKey, 'state', 'epoch', 'prober', 'probes'))
if (currentEpoch or '0') ~= epoch then return 'stale' end
if state == 'closed' then
  if prober ~= id then return 'closed' end
  local probes = tonumber(probesText or '0') + 1
  local wait = math.min(tonumber(firstProbeMs) * 2 ^ probes, tonumber(longestProbeMs))
  redis.call('HSET', gateKey, 'probes', probes, 'nextProbe', now + wait, 'code', code)
  redis.call('HDEL', gateKey, 'prober', 'proberUntil')
  return 'probed'
end
redis.call('HSET', gateKey, 'state', 'closed', 'epoch', tonumber(epoch) + 1, 'code', code, 'since', now,
  'nextProbe', now + tonumber(firstProbeMs), 'probes', 0, 'by', 'account')
redis.call('HDEL', gateKey, 'prober', 'proberUntil', 'why')
redis.call('HINCRBY', countersKey, 'gateClosed', 1)
return 'tripped'
