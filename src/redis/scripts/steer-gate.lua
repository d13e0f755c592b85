-- Carries out an operator's command on a gate.
--   KEYS  gate
--   ARGV  act by why
--         act: open | close | pause | resume
--   →     done | unchanged
-- If a spent budget closed the gate, `open` waives the budget until the end of its period. `close` has the same effect as trouble
-- with the account: a probe reopens the gate. `pause` stops all calls until `resume`.
--@include now
local now = clock()
local state, epochText, paused, code, budget =
  unpack(redis.call('HMGET', gateKey, 'state', 'epoch', 'paused', 'code', 'budget'))
local epoch = tonumber(epochText or '0')
if act == 'open' then
  if state ~= 'closed' then return 'unchanged' end
  redis.call('HSET', gateKey, 'state', 'open', 'epoch', epoch + 1, 'by', by, 'why', why)
  if code == 'BUDGET_SPENT' and budget then redis.call('HSET', gateKey, 'waived', budget) end
  redis.call('HDEL', gateKey, 'code', 'since', 'nextProbe', 'probes', 'prober', 'proberUntil', 'budget')
elseif act == 'close' then
  if state == 'closed' then return 'unchanged' end
  redis.call('HSET', gateKey, 'state', 'closed', 'epoch', epoch + 1, 'code', 'CLOSED_BY_OPERATOR', 'since', now,
    'nextProbe', now + 60000, 'probes', 5, 'by', by, 'why', why)
elseif act == 'pause' then
  if paused then return 'unchanged' end
  redis.call('HSET', gateKey, 'paused', now, 'pausedBy', by, 'pausedWhy', why)
else
  if not paused then return 'unchanged' end
  redis.call('HDEL', gateKey, 'paused', 'pausedBy', 'pausedWhy')
end
return 'done'
