-- Notes that the person of a session has finished, as the caller says. A session that waits becomes due now.
--   KEYS  journal due ripe history
--   ARGV  id entry
--   →     { 'waiting' | 'running' | 'early' | 'decided' | 'ended' | 'no_session' | 'missing', state or '' }
--         waiting: it is due now; running: a worker is asking, or asks soon; early: it has no token yet
--@include now
--@include terminal
--@include history
local state, started, decided, parked, told = unpack(redis.call('HMGET', journalKey, 'state', 's:start', 's:detect', 'parked', 'toldAt'))
if not state then return { 'missing', '' } end
if isTerminal(state) then return { 'ended', state } end
if decided then return { 'decided', state } end
if not started then
  local request = redis.call('HGET', journalKey, 'rq') or ''
  return { string.find(request, '|in-request|', 1, true) and 'early' or 'no_session', state }
end
local now = clock()
redis.call('HSET', journalKey, 'toldAt', now)
if not told then remember(historyKey, entry) end
if not parked then return { 'running', state } end
redis.call('HSET', journalKey, 'notBefore', now)
redis.call('ZREM', ripeKey, id)
redis.call('ZADD', dueKey, now, id)
return { 'waiting', state }
