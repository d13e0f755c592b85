-- May a new verification be accepted? That depends on the workers of its region and on its dependencies.
local FRESH_MS = 60000 -- a region counts as served if its last heartbeat is at most this old; see redis/workers.ts
local FORGOTTEN_MS = 3600000 -- if a region's last heartbeat is older, its workers are gone: no restart takes so long

-- regionsKey: regions, sorted by their last heartbeat
-- → served | silent (no recent heartbeat, but workers may return) | unserved (only other regions have workers)
--   | unknown (no worker of any region has ever sent a heartbeat)
local function serviceOf(regionsKey, region, now)
  local beat = tonumber(redis.call('ZSCORE', regionsKey, region) or '0')
  if now - beat < FRESH_MS then return 'served' end
  if now - beat > FORGOTTEN_MS and redis.call('ZCOUNT', regionsKey, now - FRESH_MS, '+inf') > 0 then return 'unserved' end
  local reported = redis.call('EXISTS', regionsKey) == 1
  return reported and 'silent' or 'unknown'
end

-- Finds the open breaker with the longest estimated wait among the dependencies in `needs` (separated by spaces).
-- → nil, or { dependency, estimate (ms until it works again), probeIn (ms until the next probe, at least 1000) };
--   and the list of all open breakers, as text
-- The estimate assumes that an outage lasts as long again as it has lasted so far, and at least until the next probe. If a probe
-- is due, the estimate is 0, because a new verification must be accepted to make the probe.
local function worstBreaker(breakersKey, needs, now)
  local open = redis.call('HGET', breakersKey, '#open') or ''
  if open == '' then return nil, '' end
  local worst = nil
  for dependency in string.gmatch(needs, '%S+') do
    local breaker = string.find(' ' .. open .. ' ', ' ' .. dependency .. ' ', 1, true) and readBreaker(breakersKey, dependency)
    if breaker and breaker.open then
      local probed = breaker.prober and breaker.proberUntil > now
      local due = breaker.next <= now and not probed
      local estimate = due and 0 or math.max(breaker.next - now, now - breaker.since)
      if not worst or estimate > worst.estimate then
        worst = { dependency = dependency, estimate = math.ceil(estimate), probeIn = math.ceil(math.max(breaker.next - now, 1000)) }
      end
    end
  end
  return worst, open
end
