-- Counts trouble with a dependency: 5xx, a timeout, a reset, DNS, TLS. With enough trouble, the breaker of the dependency opens.
-- If the prober of an open breaker reports trouble, the breaker stays open for longer.
--   KEYS  breakers counters
--   ARGV  id epoch dependency code failures verifications share windowMs firstProbeMs longestProbeMs spread
--         epoch: of the region's breakers when the attempt began
--         failures, verifications, share: see BreakerTuning; the breaker opens when all three are reached
--         spread: 0.75 to 1.25; varies the pauses between probes
--   →     { verdict, ms until the next probe }
--         verdict: counts (other verifications succeed, so this one is at fault) | shared (other verifications may fail too)
--              | opened | probed (still open) | open (another verification probes) | stale (closed since the attempt began)
--@include now
--@include breaker
local HEALTHY = 0.4 -- if failures are at most this fraction of `share`, other verifications clearly succeed
local now = clock()
local window = tonumber(windowMs)
local breaker = readBreaker(breakersKey, dependency) or newBreaker(now)
rotate(breaker, now, window)
breaker.at = now
local function pauseTo(ms)
  breaker.pause = math.min(ms, tonumber(longestProbeMs)) * tonumber(spread)
  breaker.next, breaker.patience = now + breaker.pause, tonumber(longestProbeMs)
end

if breaker.open then
  local verdict = 'open'
  if breaker.prober == id then
    verdict = 'probed'
    breaker.probes, breaker.code, breaker.last = breaker.probes + 1, code, id
    breaker.prober, breaker.proberUntil = nil, nil
    pauseTo(tonumber(firstProbeMs) * 2 ^ breaker.probes)
  end
  writeBreaker(breakersKey, dependency, breaker)
  return { verdict, math.max(0, math.ceil(breaker.next - now)) }
end
if tonumber(epoch) < breaker.epoch then return { 'stale', 0 } end

breaker.bad = breaker.bad + 1
local function countIds(ids, known)
  local count = 0
  for each in string.gmatch(ids, '%S+') do
    if not known[each] then known[each], count = true, count + 1 end
  end
  return count
end
if countIds(breaker.ids, {}) < MOST_IDS and not string.find(breaker.ids, id, 1, true) then
  breaker.ids = breaker.ids .. ' ' .. id
end
local bad, ok = breaker.bad + breaker.oldBad, breaker.ok + breaker.oldOk
local distinct = countIds(breaker.ids .. ' ' .. breaker.oldIds, {})
local verdict = (ok > 0 and bad / (bad + ok) <= HEALTHY * tonumber(share)) and 'counts' or 'shared'
if bad >= tonumber(failures) and distinct >= tonumber(verifications) and bad / (bad + ok) >= tonumber(share) then
  verdict = 'opened'
  breaker.open, breaker.since, breaker.probes, breaker.code = true, now, 0, code
  breaker.epoch = redis.call('HINCRBY', breakersKey, '#', 1)
  pauseTo(tonumber(firstProbeMs))
  listOpen(breakersKey, dependency, true)
  redis.call('HINCRBY', countersKey, 'breakerOpened', 1)
end
writeBreaker(breakersKey, dependency, breaker)
if isSource(dependency) then dropStaleSources(breakersKey, now, window) end
return { verdict, verdict == 'opened' and math.ceil(breaker.next - now) or 0 }
