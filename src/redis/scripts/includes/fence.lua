-- The fence: does this attempt still own the job? A worker slot uses the same lock token for all its attempts, so `ats` (BullMQ's
-- count of started attempts) must match too.
local function ownsJob(lockKey, jobKey, token, ats)
  return redis.call('GET', lockKey) == token and redis.call('HGET', jobKey, 'ats') == ats
end
