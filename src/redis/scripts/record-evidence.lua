-- Records how far the evidence of a verification is copied.
--   KEYS  journal toCopy copies counters
--   ARGV  id evidence done incomplete
--         evidence: what the record says about its evidence, JSON
--         done: 1 if nothing more is to be copied, because everything is copied or the rest is given up; incomplete: 1 if something is missing
--   →     recorded | gone (the verification was erased, or nothing is to be copied any more)
local exists = redis.call('HEXISTS', journalKey, 'state') == 1 and redis.call('ZSCORE', copiesKey, id)
if exists then redis.call('HSET', journalKey, 'ev', evidence) end
if done == '1' or not exists then
  redis.call('DEL', toCopyKey)
  redis.call('ZREM', copiesKey, id)
end
if exists and incomplete == '1' then redis.call('HINCRBY', countersKey, 'evidenceIncomplete', 1) end
return exists and 'recorded' or 'gone'
