-- Declares a paid call before it is made. At most one is open, and never more than `max` that may have been paid.
--   KEYS  journal, lock, job, history, gate, admitted, answered packages
--   ARGV  token, ats, generation, id, intent id, preflight outcome JSON, preflight history entry, call limit ms,
--         lane and slot that `slot` named (or '', 0), max payments, lanes, lane ms, soon ms, ahead ms (see parts/slot),
--         digest of the liveness package (or '': not asked), how long an answered one is remembered ms
--   →     { 'go', now, deadline of the intent, slot (call no earlier), epoch of the gate, prober of it (1 | 0) }
--         | { 'slot', now, slot, lane } (wait until shortly before it, ask again with it)
--         | { 'lost' | 'ended' | 'cancel' | 'decided' | 'exhausted' | 'expired', now, 0 } | { 'open', now, deadline of the other }
--         | { 'reused', now, when another verification had an answer for this package }
--         | { 'closed', now, ms since 1970 when it is worth asking again, code }
-- Idempotent by intent id. The slot is the vendor's rate limit over all processes: it is taken when the caller is ready to
-- call, so that an upload that takes long wastes none. The intent is declared up to `ahead` before it, so that neither this
-- script's way nor what is prepared after it makes the call late. A caller that misses its slot all the same asks again: the
-- intent is open, nothing was sent, and it gets a later slot.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
--@include pace
--@include slot
local now = clock()
local rate = { lanes = tonumber(ARGV[12]), laneMs = tonumber(ARGV[13]), soonMs = tonumber(ARGV[14]) }
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return { 'lost', now, 0 } end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 's:detect', 'open', 'paid', 'maybe', 'deadline', 's:md5', 'allowed')
if not seen[1] or isTerminal(seen[1]) then return { 'ended', now, 0 } end
if seen[2] ~= ARGV[3] then return { 'lost', now, 0 } end
if seen[4] then return { 'decided', now, 0 } end

local function declare(intent)
  settleSlot(KEYS[5], now, rate, intent.lane, intent.at)
  intent['until'] = intent.at + tonumber(ARGV[8])
  redis.call('HSET', KEYS[1], 'open', cjson.encode(intent))
  return { 'go', now, intent['until'], intent.at, intent.epoch, intent.probe }
end

if seen[5] then
  local open = cjson.decode(seen[5])
  if open.iid ~= ARGV[5] then return { 'open', now, open['until'] } end
  open.at = movedSlot(KEYS[5], now, rate, open.lane, open.at, open.at)
  return declare(open)
end
if seen[3] then return { 'cancel', now, 0 } end
if tonumber(seen[6] or '0') + tonumber(seen[7] or '0') >= tonumber(ARGV[11]) + tonumber(seen[10] or '0') then return { 'exhausted', now, 0 } end
if tonumber(seen[8]) <= now then return { 'expired', now, 0 } end

if ARGV[16] ~= '' then
  local at = redis.call('ZSCORE', KEYS[7], ARGV[16])
  if at and tonumber(at) > now - tonumber(ARGV[17]) then return { 'reused', now, tonumber(at) } end
end
local denied = gateDenies(KEYS[5], ARGV[4], now)
local gate = redis.call('HMGET', KEYS[5], 'epoch', 'state', 'code')
if denied > 0 then return { 'closed', now, now + denied, gate[3] or 'PAUSED_BY_OPERATOR' } end

local lane, slot = tonumber(ARGV[9]), tonumber(ARGV[10])
if not lane then lane, slot = takeSlot(KEYS[5], now, rate) end
slot = movedSlot(KEYS[5], now, rate, lane, slot)
if slot > now + tonumber(ARGV[15]) then return { 'slot', now, slot, lane } end

if not seen[9] then
  redis.call('HSET', KEYS[1], 's:md5', ARGV[6])
  remember(KEYS[4], ARGV[7])
end
redis.call('ZREM', KEYS[6], ARGV[4])
return declare({
  iid = ARGV[5], gen = tonumber(ARGV[3]), lane = lane, at = slot, epoch = gate[1] or '0',
  probe = gate[2] == 'closed' and 1 or 0,
})
