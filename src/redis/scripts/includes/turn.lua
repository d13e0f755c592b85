-- Turns share the queue of a region between tenants (start-time fair queueing). Each verification takes a turn when it is queued,
-- and jobs run in the order of their turns: a turn is one step (1 / weight) behind the tenant's previous one, but never before the
-- turn of the verification that began last. So a tenant with a long backlog waits behind its own backlog, and another tenant does
-- not.
-- turns: hash per region. Fields: `<lane>`, the turn that began last; `<lane>|<tenant>`, the tenant's latest turn.

-- Turns only grow, but a job's priority has an upper limit. From here on, they start again when the queue is empty.
local RESET_FROM = 1000

-- → the next turn of a tenant. waiting: the region's waiting jobs
local function nextTurn(turnsKey, waitingKey, lane, tenant, weight)
  local began, latest = unpack(redis.call('HMGET', turnsKey, lane, lane .. '|' .. tenant))
  local turn = math.max(tonumber(began or '0'), tonumber(latest or '0') + 1 / weight)
  if turn > RESET_FROM and redis.call('ZCARD', waitingKey) == 0 then
    redis.call('DEL', turnsKey)
    turn = 1 / weight
  end
  return turn
end

-- → the turn as text
local function takeTurn(turnsKey, lane, tenant, turn)
  local text = tostring(turn)
  redis.call('HSET', turnsKey, lane .. '|' .. tenant, text)
  return text
end

-- Notes that a verification begins.
local function turnBegins(turnsKey, lane, turn)
  if turn and tonumber(turn) > tonumber(redis.call('HGET', turnsKey, lane) or '0') then redis.call('HSET', turnsKey, lane, turn) end
end
