-- Budgets limit what is spent in a day or a month. Paid and possibly paid calls both count.
-- budgets: [{ period: day | month; limit: calls or millionths; unit: calls | currency; label; ends: ms since 1970 }]
local function budgetState(ledger, budget)
  local suffix, cost = '', 1
  if budget.unit ~= 'calls' then
    suffix = '|' .. budget.unit
    cost = budget.unit == ledger.currency and ledger.micros or 0
  end
  local key = ledger[budget.period]
  local paid, maybe = unpack(redis.call('HMGET', key, 'all|paid' .. suffix, 'all|maybe' .. suffix))
  return key, tonumber(paid or '0') + tonumber(maybe or '0'), cost
end

-- → the budget that one more call would exceed, or nil.
--   waived: label of the budget that had closed the gate before an operator opened the gate. This budget is skipped until its
--   period ends.
local function spentBudget(ledger, budgets, waived)
  for _, budget in ipairs(budgets) do
    local _, spent, cost = budgetState(ledger, budget)
    if budget.label ~= waived and spent + cost > budget.limit then return budget end
  end
  return nil
end

-- → the label of a budget that is at least 80 % spent and was not reported before, or ''.
local function budgetWarning(ledger, budgets)
  for _, budget in ipairs(budgets) do
    local key, spent = budgetState(ledger, budget)
    local told = 'warned|' .. budget.label
    if spent * 5 >= budget.limit * 4 and redis.call('HEXISTS', key, told) == 0 then
      redis.call('HSET', key, told, 1)
      return budget.label
    end
  end
  return ''
end

-- Closes the gate until the period ends. → false if a spent budget had closed the gate already, else true
local function closeForBudget(gateKey, countersKey, now, budget)
  local state, code, epoch = unpack(redis.call('HMGET', gateKey, 'state', 'code', 'epoch'))
  redis.call('HDEL', gateKey, 'prober', 'proberUntil')
  redis.call('HSET', gateKey, 'code', 'BUDGET_SPENT', 'budget', budget.label, 'nextProbe', budget.ends)
  if state == 'closed' then return code ~= 'BUDGET_SPENT' end
  redis.call('HSET', gateKey, 'state', 'closed', 'epoch', tonumber(epoch or '0') + 1, 'since', now, 'probes', 0,
    'by', 'budget')
  redis.call('HDEL', gateKey, 'why')
  redis.call('HINCRBY', countersKey, 'gateClosed', 1)
  return true
end

-- Stores the current periods and their budgets, for the metrics.
-- → whether they have changed
local function showPeriods(budgetKey, periods, budgets, budgetsText)
  local shown = table.concat({ periods.day, periods.month, periods.currency, budgetsText }, ' ')
  if redis.call('HGET', budgetKey, 'shown') == shown then return false end
  redis.call('HSET', budgetKey, 'day', periods.day, 'dayEnds', periods.dayEnds, 'month', periods.month, 'monthEnds',
    periods.monthEnds, 'currency', periods.currency, 'shown', shown)
  redis.call('HDEL', budgetKey, 'dayLimit', 'monthLimit')
  for _, budget in ipairs(budgets) do
    redis.call('HSET', budgetKey, budget.period .. 'Limit', budget.limit .. ' ' .. budget.unit)
  end
  return true
end
