-- The prober had an answer: the account is in order, the gate opens.
--   KEYS  gate, counters
--   ARGV  id
--   →     opened | no (not closed, or somebody else probes now)
local gate = redis.call('HMGET', KEYS[1], 'state', 'prober', 'epoch')
if gate[1] ~= 'closed' or gate[2] ~= ARGV[1] then return 'no' end
redis.call('HSET', KEYS[1], 'state', 'open', 'epoch', tonumber(gate[3]) + 1, 'by', 'breaker')
redis.call('HDEL', KEYS[1], 'code', 'since', 'nextProbe', 'probes', 'prober', 'proberUntil', 'why')
redis.call('HINCRBY', KEYS[2], 'gateOpened', 1)
return 'opened'
