-- Notes that this run is alone in its process: if the process dies, no other run can be the cause.
--   KEYS  journal lock job
--   ARGV  token ats
--   →     ok | lost | ended
-- Idempotent. The script that records the run's end removes the mark.
--@include fence
--@include terminal
if not ownsJob(lockKey, jobKey, token, ats) then return 'lost' end
local state = redis.call('HGET', journalKey, 'state')
if not state or isTerminal(state) then return 'ended' end
redis.call('HSET', journalKey, 'alone', 1)
return 'ok'
