-- Admission comes before upload: at most `capacity` verifications are between the start of `upload` and the end of `detect`.
-- From its claim until its admission, an interactive verification is listed in `express`, and batch work waits.
-- If batch work occupies every worker slot, this would be a deadlock: the listed verification cannot start, and the batch work
-- waits until that verification is admitted. So, as an exception, batch work is admitted if nothing else is admitted and the
-- oldest entry of `express` has waited PATIENCE_MS.
-- A closed gate admits only its prober, and a paused gate admits nobody. Entries of `admitted` and `express` expire, so that
-- other verifications do not wait long for one whose worker was killed, or whose producer died before it added the job.
local EXPRESS_MS = 15000 -- how long an entry of `express` lasts; equals EXPRESS_HOLD_MS of the client
local PATIENCE_MS = 5000 -- batch work waits at most this long for a listed verification while nothing is admitted

-- → ms to wait before asking again; 0 = admitted
local function admit(gateKey, admittedKey, expressKey, id, lane, capacity, holdMs, now)
  local denied = gateDenies(gateKey, id, now)
  if denied > 0 then return denied end
  redis.call('ZREMRANGEBYSCORE', admittedKey, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', expressKey, '-inf', now)
  if not redis.call('ZSCORE', admittedKey, id) and lane ~= 'interactive' then
    local admitted = redis.call('ZCARD', admittedKey)
    local oldestExpiry = redis.call('ZRANGE', expressKey, 0, 0, 'WITHSCORES')[2]
    if oldestExpiry and (admitted > 0 or tonumber(oldestExpiry) - now > EXPRESS_MS - PATIENCE_MS) then return 50 end
    if admitted >= capacity then return 100 end
  end
  redis.call('ZADD', admittedKey, now + holdMs, id)
  redis.call('ZREM', expressKey, id)
  return 0
end
