-- The breakers of a region are one hash. Field `#`: the region's epoch. Field `#open`: the dependencies whose breaker is open.
-- Every other field is named after a dependency, and its value is JSON: { ok, bad, oldOk, oldBad, ids, oldIds, from, at, epoch }
-- and, while the breaker is open, { open, since, next, pause, patience, probes, code, prober, proberUntil, last }.
-- Successes and failures are counted in two windows: the current one (ok, bad, ids) and the one before it (oldOk, oldBad,
-- oldIds). Times are ms since 1970.
local PROBER_LEASE_MS = 30000
local MOST_IDS = 8 -- ids of failed verifications that a window keeps; more ids would not change a decision
local MOST_SOURCES = 200 -- if the hash has more fields, stale entries of hosts that callers named are dropped

local function isSource(dependency) return string.sub(dependency, 1, 7) == 'source:' end

local function readBreaker(key, dependency)
  local text = redis.call('HGET', key, dependency)
  return text and cjson.decode(text) or nil
end

local function newBreaker(now)
  return { ok = 0, bad = 0, oldOk = 0, oldBad = 0, ids = '', oldIds = '', from = now, at = now, epoch = 0 }
end

local function writeBreaker(key, dependency, breaker) redis.call('HSET', key, dependency, cjson.encode(breaker)) end

local function rotate(breaker, now, windowMs)
  local age = now - breaker.from
  if age < windowMs then return end
  local follows = age < 2 * windowMs
  breaker.oldOk, breaker.oldBad, breaker.oldIds = 0, 0, ''
  if follows then breaker.oldOk, breaker.oldBad, breaker.oldIds = breaker.ok, breaker.bad, breaker.ids end
  breaker.ok, breaker.bad, breaker.ids, breaker.from = 0, 0, '', now
end

local function listOpen(key, dependency, open)
  local kept = {}
  for name in string.gmatch(redis.call('HGET', key, '#open') or '', '%S+') do
    if name ~= dependency then kept[#kept + 1] = name end
  end
  if open then kept[#kept + 1] = dependency end
  redis.call('HSET', key, '#open', table.concat(kept, ' '))
end

-- → ms until this verification may pass; 0 = now. If the breaker is open, a verification that passes is its prober. The last
-- prober waits half a pause longer, so that another verification probes next. mayProbe is false if the verification could not
-- afford another call with an unknown outcome. It then waits `patience` longer, so that another verification can probe first.
local function breakerWait(breaker, id, mayProbe, now)
  if not breaker or not breaker.open then return 0 end
  if breaker.prober and breaker.proberUntil > now then return breaker.prober == id and 0 or 500 end
  local due = breaker.next
  if not mayProbe then due = due + breaker.patience elseif breaker.last == id then due = due + breaker.pause / 2 end
  return due > now and math.ceil(due - now) or 0
end

local function takeProbe(key, dependency, breaker, id, now)
  if not breaker or not breaker.open then return end
  breaker.prober, breaker.proberUntil = id, now + PROBER_LEASE_MS
  writeBreaker(key, dependency, breaker)
end

-- Counts a success for each dependency in `passed` (separated by spaces). A success of the prober closes an open breaker.
local function breakersPassed(key, id, passed, windowMs, now)
  for dependency in string.gmatch(passed, '%S+') do
    local breaker = readBreaker(key, dependency)
    -- A host that callers named gets an entry only when it has trouble, so a success without an entry is not counted.
    if breaker or not isSource(dependency) then
      breaker = breaker or newBreaker(now)
      rotate(breaker, now, tonumber(windowMs))
      breaker.ok, breaker.at = breaker.ok + 1, now
      if breaker.open and breaker.prober == id then
        breaker = newBreaker(now)
        breaker.epoch = redis.call('HINCRBY', key, '#', 1)
        listOpen(key, dependency, false)
      end
      if isSource(dependency) and not breaker.open and breaker.bad + breaker.oldBad == 0 then
        redis.call('HDEL', key, dependency)
      else
        writeBreaker(key, dependency, breaker)
      end
    end
  end
end

local function dropStaleSources(key, now, windowMs)
  if redis.call('HLEN', key) <= MOST_SOURCES then return end
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if isSource(all[i]) then
      local breaker = cjson.decode(all[i + 1])
      if not breaker.open and now - breaker.at > 2 * windowMs then redis.call('HDEL', key, all[i]) end
    end
  end
end
