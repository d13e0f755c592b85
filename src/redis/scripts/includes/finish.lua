local CANCELLED = '{"code":"CANCELLED","class":"caller"}'

-- The outbox field of an end. Each retry has its own field, so that a late delivery of an earlier end removes no later entry.
local function endField(id, retries)
  return retries and id .. ':retry-' .. retries or id
end

-- Ends a verification: every script that sets a terminal state calls this function. In the same step it writes the outbox entry
-- and the indexes, sets the expiry, publishes the change, and drops sources, links and run state. Results and metadata stay.
-- keys: { journal, history, live, ended, outbox, channel }; fields: further journal fields to set, as field, value, …
-- keep: { key, ms, maxPayments }: the key that keeps what a retry needs, see retry-ended; nil if nothing is kept
local function finish(keys, id, now, fields, outboxEntry, recordTtlMs, keep)
  local tenant, retries, legalHold, sources, answer =
    unpack(redis.call('HMGET', keys.journal, 'tn', 'retries', 'legal', 'src', 's:detect'))
  if keep and tonumber(keep.ms) > 0 and sources then
    redis.call('DEL', keep.key)
    redis.call('HSET', keep.key, 'src', sources, 'pays', keep.maxPayments)
    if answer then redis.call('HSET', keep.key, 's:detect', answer) end
    redis.call('PEXPIRE', keep.key, keep.ms)
  end
  redis.call('HSET', keys.journal, 'endedAt', now, unpack(fields))
  redis.call('HDEL', keys.journal, 'src', 's:start', 's:upload', 's:md5', 's:detect', 's:download', 'notBefore', 'begun', 'op', 'late', 'gen0',
    'parked', 'toldAt', 'allowed', 'starts', 'yields', 'alone', 'crashed', 'turn', 'heldUntil')
  if not legalHold then
    redis.call('PEXPIRE', keys.journal, recordTtlMs)
    redis.call('PEXPIRE', keys.history, recordTtlMs)
  end
  leaveIndex(keys.live, tenant, id)
  redis.call('ZADD', keys.ended, now, id)
  if outboxEntry ~= '' then redis.call('HSET', keys.outbox, endField(id, retries), outboxEntry) end
  redis.call('PUBLISH', keys.channel, id)
end
