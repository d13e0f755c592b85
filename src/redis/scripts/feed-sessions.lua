-- Takes sessions whose result is to be asked for, so that the caller adds their jobs. Those with the earliest deadline come first.
--   KEYS  due ripe resuming
--   ARGV  most only journals jobs
--         most: how many jobs may wait in `resuming`, and at most this many sessions are taken
--         only: take only this session, whatever its deadline; '' for all
--         journals, jobs: prefixes of the keys of journals and jobs
--   →     { more, id, packed request, turn, id, … }
--         more: 1 if so many sessions are due that the caller must call again before any is taken; otherwise 0
-- If the caller dies before it adds a job, the sweeper adds the job. A session whose earlier job still exists is left for the next
-- time: BullMQ would ignore a second job with its id.
--@include now
--@include terminal
local MOVED = 1000 -- how many sessions become ripe at a time, so that a script takes few milliseconds
local now = clock()
local moving = redis.call('ZRANGEBYSCORE', dueKey, '-inf', now, 'LIMIT', 0, MOVED)
for _, id in ipairs(moving) do
  local deadline = redis.call('HGET', journals .. id, 'deadline')
  redis.call('ZREM', dueKey, id)
  if deadline then redis.call('ZADD', ripeKey, deadline, id) end
end
if #moving == MOVED and only == '' then return { 1 } end -- one that is not ripe yet may have an earlier deadline
local room = tonumber(most) - redis.call('LLEN', resumingKey)
local ids = only == '' and (room > 0 and redis.call('ZRANGE', ripeKey, 0, room - 1) or {}) or { only }
local taken = { 0 }
for _, id in ipairs(ids) do
  local state, parked, request, turn = unpack(redis.call('HMGET', journals .. id, 'state', 'parked', 'rq', 'turn'))
  if not state or not parked or state ~= 'delayed' then
    redis.call('ZREM', ripeKey, id) -- it has ended, or a worker is already asking
  elseif redis.call('ZSCORE', ripeKey, id) and redis.call('EXISTS', jobs .. id) == 0 then
    redis.call('ZREM', ripeKey, id)
    redis.call('HSET', journals .. id, 'state', 'queued', 'notBefore', now)
    redis.call('HDEL', journals .. id, 'parked')
    for _, field in ipairs({ id, request, turn or '0' }) do taken[#taken + 1] = field end
  end
end
return taken
