-- Verifications that have not ended, by the time at which they were queued: all in `live`, and those of each tenant in
-- `<live>:<tenant>`.
local function liveIndexes(liveKey, tenant)
  if not tenant or tenant == '' then return { liveKey } end
  return { liveKey, liveKey .. ':' .. tenant }
end

local function enterIndex(liveKey, tenant, now, id)
  for _, key in ipairs(liveIndexes(liveKey, tenant)) do redis.call('ZADD', key, now, id) end
end

local function leaveIndex(liveKey, tenant, id)
  for _, key in ipairs(liveIndexes(liveKey, tenant)) do redis.call('ZREM', key, id) end
end
