-- Puts a verification under a legal hold, or lifts it: while it is there nothing of it is erased, by nobody and by no age.
--   KEYS  journal, history, subject's index (or journal)
--   ARGV  legal hold JSON, or '' to lift it, history entry, record life ms (counted anew where it is lifted)
--   →     ok | missing
--@include terminal
--@include history
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'missing' end
remember(KEYS[2], ARGV[2])
if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], 'legal', ARGV[1])
  for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
else
  redis.call('HDEL', KEYS[1], 'legal')
  if isTerminal(state) then
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
    redis.call('PEXPIRE', KEYS[2], ARGV[3])
  end
end
return 'ok'
