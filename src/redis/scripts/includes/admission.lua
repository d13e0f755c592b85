-- Admission comes before upload: at most `capacity` verifications are between the start of `upload` and the end of `detect`.
-- From its claim until its admission, an interactive verification is listed in `express`, and batch work waits.
-- If batch work occupies every worker slot, this would be a deadlock: the listed verification cannot start, and the batch work
-- waits until that verification is admitted. So, as an exception, batch work is admitted if nothing else is admitted and the
-- oldest entry of `express` has waited PATIENCE_MS.
-- Tenants share the capacity: while a tenant with less of it (by weight) asks, nobody else takes a free place. `sharing` says who
-- asks and who was admitted.
-- A closed gate admits only its prober, and a paused gate admits nobody. Entries of `admitted` and `express` expire, so that
-- other verifications do not wait long for one whose worker was killed, or whose producer died before it added the job.
local EXPRESS_MS = 15000 -- how long an entry of `express` lasts; equals EXPRESS_HOLD_MS of the client
local PATIENCE_MS = 5000 -- batch work waits at most this long for a listed verification while nothing is admitted

local ASKS_MS = 1000 -- how long a refused verification counts as asking; it asks again every 100 ms

-- Whether a batch verification of another tenant asks for a place, and that tenant has less than `mine`.
-- sharing: hash of batch verifications, id → '<tenant>|<weight>|<asked at, or 0 if admitted>'
local function mustYield(keys, mine, now)
  local have, asks = {}, {}
  local entries = redis.call('HGETALL', keys.sharing)
  for i = 1, #entries, 2 do
    local id, tenant, weight, asked = entries[i], string.match(entries[i + 1], '^(.-)|(.-)|(.-)$')
    if asked == '0' and redis.call('ZSCORE', keys.admitted, id) then
      have[tenant] = (have[tenant] or 0) + 1 / tonumber(weight)
    elseif asked ~= '0' and tonumber(asked) + ASKS_MS > now then
      asks[tenant] = true
    else
      redis.call('HDEL', keys.sharing, id)
    end
  end
  for tenant in pairs(asks) do
    if tenant ~= mine and (have[tenant] or 0) < (have[mine] or 0) then return true end
  end
  return false
end

-- keys: { gate, admitted, express, sharing }; who: { lane, tenant, weight }
-- gate: from readGate
-- → ms to wait before asking again; 0 = admitted
local function admit(keys, gate, id, who, capacity, holdMs, now)
  local denied = gateDenies(keys.gate, gate, id, now)
  if denied > 0 then return denied end
  redis.call('ZREMRANGEBYSCORE', keys.admitted, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', keys.express, '-inf', now)
  if who.lane ~= 'interactive' and not redis.call('ZSCORE', keys.admitted, id) then
    local admitted = redis.call('ZCARD', keys.admitted)
    local oldestExpiry = redis.call('ZRANGE', keys.express, 0, 0, 'WITHSCORES')[2]
    if oldestExpiry and (admitted > 0 or tonumber(oldestExpiry) - now > EXPRESS_MS - PATIENCE_MS) then return 50 end
    local share = who.tenant .. '|' .. who.weight .. '|'
    if admitted >= capacity or mustYield(keys, who.tenant, now) then
      redis.call('HSET', keys.sharing, id, share .. now)
      return 100
    end
    redis.call('HSET', keys.sharing, id, share .. '0')
  end
  redis.call('ZADD', keys.admitted, now + holdMs, id)
  redis.call('ZREM', keys.express, id)
  return 0
end
