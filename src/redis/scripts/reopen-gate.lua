-- Opens a closed gate after its prober got an answer, which shows that the account is in order again.
--   KEYS  gate counters
--   ARGV  id
--   →     opened | unchanged (not closed, or another prober has taken over)
local state, prober, epoch = unpack(redis.call('HMGET', gateKey, 'state', 'prober', 'epoch'))
if state ~= 'closed' or prober ~= id then return 'unchanged' end
redis.call('HSET', gateKey, 'state', 'open', 'epoch', tonumber(epoch) + 1, 'by', 'account')
redis.call('HDEL', gateKey, 'code', 'since', 'nextProbe', 'probes', 'prober', 'proberUntil', 'why', 'budget')
redis.call('HINCRBY', countersKey, 'gateOpened', 1)
return 'opened'
