-- Puts a verification under a legal hold, or lifts the hold. Under a legal hold, no part of the verification is erased.
--   KEYS  journal history subjectIndex
--   ARGV  hold entry expiryMs
--         subjectIndex: the journal's key if the verification has no subject
--         hold: JSON, or '' to lift it; expiryMs: how long the record is kept after the hold is lifted
--   →     ok | missing
--@include terminal
--@include history
local state = redis.call('HGET', journalKey, 'state')
if not state then return 'missing' end
remember(historyKey, entry)
if hold ~= '' then
  redis.call('HSET', journalKey, 'legal', hold)
  for _, key in ipairs({ journalKey, historyKey, subjectIndexKey }) do redis.call('PERSIST', key) end
else
  redis.call('HDEL', journalKey, 'legal')
  if isTerminal(state) then
    redis.call('PEXPIRE', journalKey, expiryMs)
    redis.call('PEXPIRE', historyKey, expiryMs)
  end
end
return 'ok'
