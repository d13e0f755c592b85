-- → how many jobs are served before a job with this turn
-- waiting: jobs that have not begun, by priority; resuming: jobs that continue, which are served first
-- firstPriority: that of the lane's first turn, less one; turnsPerLane: later turns share the priority of the last one
local function countAhead(waitingKey, resumingKey, turn, firstPriority, turnsPerLane)
  local priority = tonumber(firstPriority) + math.min(math.max(1, math.ceil(turn)), tonumber(turnsPerLane))
  local past = string.format('(%.0f', (priority + 1) * 2 ^ 32) -- BullMQ's score is priority × 2^32 + a counter
  return redis.call('LLEN', resumingKey) + redis.call('ZCOUNT', waitingKey, '-inf', past)
end
