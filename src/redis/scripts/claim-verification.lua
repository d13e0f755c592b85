-- Claims an id for a verification: creates the journal, or reports what exists under this id.
--   KEYS  journal live express subjectIndex tenantIndex breakers regions turns waiting resuming use budget minute gate
--   ARGV  id fingerprint deadline lifeMs lane expressHoldMs subjectLifeMs region needs tenant weight quotas minuteKeptMs mostAhead firstPriority turnsPerLane knownOnly ...fields
--         subjectIndex, tenantIndex: the journal's key if the verification has no subject or tenant
--         gate: of the region and action; the journal's key if the caller needs no view
--         deadline: ms since 1970; 0 means `lifeMs` from now
--         needs: dependencies of the verification, separated by spaces
--         waiting: the region's waiting jobs; use, budget, tenant, weight, quotas: see includes/turn and includes/quota
--         mostAhead: the most jobs that may be served before this one, or ''; the others: see includes/ahead
--         knownOnly: '1' if nothing may be created, else ''
--         minuteKeptMs: how long the counts of this minute are kept
--         fields: field, value, … of the journal
--   →     { 'new', 'queued', 0, turn, at, deadline, reason or '', the gate's paused state code nextProbe tat, open breakers }
--         | { 'same' | 'conflict' | 'gone', state, starts, turn }
--         | { 'unknown', '', 0 } (only if `knownOnly`)
--         | { 'unserved', '', 0 } (no worker serves the region)
--         | { 'backlog', '', how many jobs would be served before it }
--         | { 'quota', which quota is used up, ms until it may be free again, or 0 }
--         | { 'down', dependency, ms to wait } (an interactive verification whose deadline passes before the likely recovery)
-- Idempotent: a second run with the same fingerprint answers `same`. `starts` = 0 tells the producer to add the job again.
--@include now
--@include ahead
--@include breaker
--@include door
--@include live
--@include quota
--@include turn
local known, state, starts, erased, taken = unpack(redis.call('HMGET', journalKey, 'fp', 'state', 'starts', 'erased', 'turn'))
if erased then return { 'gone', '', 0, '0' } end
if known then return { known == fingerprint and 'same' or 'conflict', state, tonumber(starts or '0'), taken or '0' } end
if knownOnly ~= '' then return { 'unknown', '', 0 } end

local now = clock()
local endsAt = tonumber(deadline)
if endsAt == 0 then endsAt = now + tonumber(lifeMs) end
local service = serviceOf(regionsKey, region, now)
if service == 'unserved' then return { 'unserved', '', 0 } end
local broken, open = worstBreaker(breakersKey, needs, now)
if broken and lane == 'interactive' and broken.estimate > endsAt - now then
  return { 'down', broken.dependency, broken.probeIn }
end
local turn = nextTurn(turnsKey, waitingKey, lane, tenant, tonumber(weight))
if mostAhead ~= '' then
  local ahead = countAhead(waitingKey, resumingKey, turn, firstPriority, turnsPerLane)
  if ahead > tonumber(mostAhead) then return { 'backlog', '', ahead } end
end
local usedUp, freeIn = takeQuota({ live = liveKey, use = useKey, budget = budgetKey, tenant = tenant }, quotas, now)
if usedUp then return { 'quota', usedUp, freeIn } end
turn = takeTurn(turnsKey, lane, tenant, turn)
redis.call('HSET', journalKey, 'fp', fingerprint, 'state', 'queued', 'at', now, 'deadline', endsAt, 'gen', 0, 'turn', turn,
  unpack(fields))
if weight ~= '1' then redis.call('HSET', journalKey, 'weight', weight) end
-- Set the reason now, so that the caller sees at once why the verification waits.
local reason = ''
if broken then
  reason = cjson.encode({ code = 'DEPENDENCY_DOWN', class = 'transient', dependency = broken.dependency,
    retryAt = now + broken.estimate })
elseif service == 'silent' then
  reason = cjson.encode({ code = 'REGION_UNSERVED', class = 'transient' })
end
if reason ~= '' then redis.call('HSET', journalKey, 'reason', reason) end
enterIndex(liveKey, tenant, now, id)
if lane == 'interactive' then redis.call('ZADD', expressKey, now + tonumber(expressHoldMs), id) end
if subjectIndexKey ~= journalKey then
  redis.call('ZADD', subjectIndexKey, now, id)
  -- If a legal hold has made this index persistent, set no expiry.
  if redis.call('PTTL', subjectIndexKey) ~= -1 or redis.call('ZCARD', subjectIndexKey) == 1 then
    redis.call('PEXPIRE', subjectIndexKey, subjectLifeMs)
  end
end
if tenantIndexKey ~= journalKey then redis.call('ZADD', tenantIndexKey, now, id) end
if redis.call('HINCRBY', minuteKey, 'accepted', 1) == 1 then redis.call('PEXPIRE', minuteKey, minuteKeptMs) end
if gateKey == journalKey then return { 'new', 'queued', 0, turn } end
local gate = redis.call('HMGET', gateKey, 'paused', 'state', 'code', 'nextProbe', 'tat')
return { 'new', 'queued', 0, turn, now, endsAt, reason, gate, open }
