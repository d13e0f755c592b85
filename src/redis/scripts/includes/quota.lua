-- Quotas limit what a tenant may queue. They are checked when a verification is claimed; accepted work is never stopped.
-- quotas: JSON { unfinished, perDay: numbers or absent; budgets: see includes/budget }, or ''
-- keys: { live; use: hash { day, accepted }; budget: current periods, see includes/budget; tenant }
local DAY_MS = 86400000
local MOST_CHECKED = 100

-- How many verifications of the tenant have not ended. A record that Redis has lost stays in the index until it is met here.
local function unfinishedOf(keys, limit)
  local index = keys.live .. ':' .. keys.tenant
  local count = redis.call('ZCARD', index)
  if count < limit then return count end
  for _, id in ipairs(redis.call('ZRANGE', index, 0, MOST_CHECKED - 1)) do
    if not redis.call('ZSCORE', keys.live, id) then count = count - redis.call('ZREM', index, id) end
  end
  return count
end

-- What the tenant has spent in the current day or month of the ledger.
local function spentBy(keys, period, unit, now)
  local name, ends = unpack(redis.call('HMGET', keys.budget, period, period .. 'Ends'))
  if not name or tonumber(ends) <= now then return 0, now end
  local ledger = string.gsub(keys.budget, 'budget$', 'costs:') .. name
  local suffix = unit == 'calls' and '' or '|' .. unit
  local row = 'of:' .. keys.tenant
  local paid, maybe = unpack(redis.call('HMGET', ledger, row .. '|paid' .. suffix, row .. '|maybe' .. suffix))
  return tonumber(paid or '0') + tonumber(maybe or '0'), tonumber(ends)
end

-- → nil, and the verification is counted; or the name of the quota that is used up, and ms until its period ends (0: unknown)
local function takeQuota(keys, quotasText, now)
  if quotasText == '' then return nil end
  local quotas = cjson.decode(quotasText)
  if quotas.unfinished and unfinishedOf(keys, quotas.unfinished) >= quotas.unfinished then return 'unfinished', 0 end
  for _, budget in ipairs(quotas.budgets) do
    local spent, ends = spentBy(keys, budget.period, budget.unit, now)
    if spent >= budget.limit then return 'budget of a ' .. budget.period, math.ceil(ends - now) end
  end
  if quotas.perDay then
    local day = math.floor(now / DAY_MS)
    local counted, accepted = unpack(redis.call('HMGET', keys.use, 'day', 'accepted'))
    local used = counted == tostring(day) and tonumber(accepted) or 0
    local ends = (day + 1) * DAY_MS
    if used >= quotas.perDay then return 'perDay', math.ceil(ends - now) end
    redis.call('HSET', keys.use, 'day', tostring(day), 'accepted', used + 1)
    redis.call('PEXPIRE', keys.use, DAY_MS)
  end
  return nil
end
