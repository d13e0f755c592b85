-- Declares a paid call before it is made. At most one is open, and never more than `max` that may have been paid.
--   KEYS  journal, lock, job, history, gate, admitted, answered packages
--   ARGV  token, ats, generation, id, intent id, preflight outcome JSON, preflight history entry, call limit ms,
--         interval ms, reserved slot (ms since 1970, or 0), max payments, tolerance ms,
--         digest of the liveness package (or '': not asked), how long an answered one is remembered ms
--   →     { 'go', now, deadline of the intent, slot (call no earlier), epoch of the gate, prober of it (1 | 0) } | { 'slot', now, ms since 1970 } (wait, ask again with it)
--         | { 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired', now, 0 } | { 'open', now, deadline of the other }
--         | { 'reused', now, when another verification had an answer for this package }
--         | { 'closed', now, ms since 1970 when it is worth asking again, code }
-- Idempotent by intent id. The slot is the vendor's rate limit over all processes (GCRA, burst 1): it is taken when the
-- caller is ready to call, so that an upload that takes long wastes none. A slot that is only `tolerance` away is not worth
-- asking twice for: the intent is declared, and the caller waits that moment.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
--@include pace
local now = clock()
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return { 'lost', now, 0 } end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 's:detect', 'open', 'paid', 'maybe', 'deadline', 's:md5', 'allowed')
if not seen[1] or isTerminal(seen[1]) then return { 'ended', now, 0 } end
if seen[2] ~= ARGV[3] then return { 'lost', now, 0 } end
if seen[4] then return { 'decided', now, 0 } end
if seen[5] then
  local open = cjson.decode(seen[5])
  if open.iid == ARGV[5] then return { 'go', now, open['until'], open.at, open.epoch, open.probe } end
  return { 'open', now, open['until'] }
end
if seen[3] then return { 'cancel', now, 0 } end
if tonumber(seen[6] or '0') + tonumber(seen[7] or '0') >= tonumber(ARGV[11]) + tonumber(seen[10] or '0') then return { 'exhausted', now, 0 } end
if tonumber(seen[8]) <= now then return { 'expired', now, 0 } end

if ARGV[13] ~= '' then
  local at = redis.call('ZSCORE', KEYS[7], ARGV[13])
  if at and tonumber(at) > now - tonumber(ARGV[14]) then return { 'reused', now, tonumber(at) } end
end
local denied = gateDenies(KEYS[5], ARGV[4], now)
local gate = redis.call('HMGET', KEYS[5], 'epoch', 'state', 'code')
if denied > 0 then return { 'closed', now, now + denied, gate[3] or 'PAUSED_BY_OPERATOR' } end

local slot = tonumber(ARGV[10])
if slot == 0 or now < slot or now > slot + tonumber(ARGV[12]) then
  local tat = math.max(now, tonumber(redis.call('HGET', KEYS[5], 'tat') or '0'))
  slot = math.ceil(tat)
  redis.call('HSET', KEYS[5], 'tat', tostring(tat + tonumber(ARGV[9]) * paceOf(KEYS[5], now)))
  if slot > now + tonumber(ARGV[12]) then return { 'slot', now, slot } end
end
slot = math.max(slot, now)

local deadline = slot + tonumber(ARGV[8])
local epoch, probe = gate[1] or '0', gate[2] == 'closed' and 1 or 0
redis.call('HSET', KEYS[1], 'open', cjson.encode({ iid = ARGV[5], gen = tonumber(ARGV[3]), at = slot, ['until'] = deadline, epoch = epoch, probe = probe }))
if not seen[9] then
  redis.call('HSET', KEYS[1], 's:md5', ARGV[6])
  remember(KEYS[4], ARGV[7])
end
redis.call('ZREM', KEYS[6], ARGV[4])
return { 'go', now, deadline, slot, epoch, probe }
