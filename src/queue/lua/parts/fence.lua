-- The fence: this attempt still holds the job. The lock token alone is reused by later attempts of one worker slot, so
-- `ats` (BullMQ's count of started attempts) must agree too.
local function holds(lockKey, jobKey, token, ats)
  return redis.call('GET', lockKey) == token and redis.call('HGET', jobKey, 'ats') == ats
end
