-- Counts the jobs that are served before the next one of a lane and tenant, which takes its turn as in includes/turn.
--   KEYS  turns waiting resuming
--         waiting: jobs that have not begun, by priority; resuming: jobs that continue, which are served first
--   ARGV  lane tenant weight firstPriority turnsPerLane
--         firstPriority: that of the first turn, less one; turnsPerLane: later turns share the priority of the last one
--   →     how many
local began, latest = unpack(redis.call('HMGET', turnsKey, lane, lane .. '|' .. tenant))
local turn = math.max(tonumber(began or '0'), tonumber(latest or '0') + 1 / tonumber(weight))
local priority = tonumber(firstPriority) + math.min(math.max(1, math.ceil(turn)), tonumber(turnsPerLane))
local past = string.format('(%.0f', (priority + 1) * 2 ^ 32) -- BullMQ's score is priority × 2^32 + a counter
return redis.call('LLEN', resumingKey) + redis.call('ZCOUNT', waitingKey, '-inf', past)
