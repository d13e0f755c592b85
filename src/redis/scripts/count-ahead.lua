-- Counts the jobs that are served before the next one of a lane and tenant, which takes its turn as in includes/turn.
--   KEYS  turns waiting resuming
--   ARGV  lane tenant weight firstPriority turnsPerLane
--   →     how many; see includes/ahead
--@include ahead
local began, latest = unpack(redis.call('HMGET', turnsKey, lane, lane .. '|' .. tenant))
local turn = math.max(tonumber(began or '0'), tonumber(latest or '0') + 1 / tonumber(weight))
return countAhead(waitingKey, resumingKey, turn, firstPriority, turnsPerLane)
