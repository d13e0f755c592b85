-- Ends a verification: terminal record and outbox entry in one step.
--   KEYS  journal, lock, job, history, live, ended, outbox, admitted, gate, held, frames
--   ARGV  token, ats, generation, id, channel, state, reason JSON or '', outbox entry JSON or '', record life ms,
--         history entry, frame state, stored frame JSON or '', how long the frame is kept ms, or 0: not ours to delete
--   →     { 'ok' | 'ended', state } | { 'lost', '' }
-- Idempotent: a second run finds the terminal state. A verification that was cancelled ends as cancelled.
--@include now
--@include fence
--@include terminal
--@include history
--@include gate
--@include finish
if not holds(KEYS[2], KEYS[3], ARGV[1], ARGV[2]) then return { 'lost', '' } end
local seen = redis.call('HMGET', KEYS[1], 'state', 'gen', 'cancel', 's:detect')
if not seen[1] then return { 'ended', '' } end
if isTerminal(seen[1]) then return { 'ended', seen[1] } end
if seen[2] ~= ARGV[3] then return { 'lost', '' } end
-- A late answer has decided it in the meantime: whoever comes next goes on from there.
if ARGV[6] == 'failed' and seen[4] then return { 'lost', '' } end
local state = seen[3] and 'cancelled' or ARGV[6]
local fields = { 'state', state }
local function put(name, value)
  if value ~= '' then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end
put('frame', ARGV[11])
put('stored', ARGV[12])
redis.call('HDEL', KEYS[1], 'reason')
put('reason', state == ARGV[6] and ARGV[7] or CANCELLED)
remember(KEYS[4], ARGV[10])
redis.call('ZREM', KEYS[8], ARGV[4])
releaseProbe(KEYS[9], ARGV[4])
redis.call('ZREM', KEYS[10], ARGV[4])
redis.call('HDEL', KEYS[1], 'heldUntil')
local now = clock()
finish({ journal = KEYS[1], history = KEYS[4], live = KEYS[5], ended = KEYS[6], outbox = KEYS[7], channel = ARGV[5] },
  ARGV[4], now, fields, ARGV[8], ARGV[9])
if ARGV[12] ~= '' and tonumber(ARGV[13]) > 0 then redis.call('ZADD', KEYS[11], now + tonumber(ARGV[13]), ARGV[4]) end
return { 'ok', state }
