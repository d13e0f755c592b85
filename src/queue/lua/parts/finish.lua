local CANCELLED = '{"code":"CANCELLED","class":"caller"}'

-- The one way into a terminal state: record, outbox entry, index, redaction, expiry and signal in one step.
-- Sources, links and what only a run needs go; what was found out, and the caller's metadata, stays for the record's life.
local function finish(keys, id, now, fields, outboxEntry, recordTtlMs)
  redis.call('HSET', keys.journal, 'endedAt', now, unpack(fields))
  redis.call('HDEL', keys.journal, 'src', 's:upload', 's:md5', 's:detect', 'notBefore', 'begun', 'op', 'late', 'gen0', 'allowed', 'starts', 'yields')
  if redis.call('HEXISTS', keys.journal, 'legal') == 0 then
    redis.call('PEXPIRE', keys.journal, recordTtlMs)
    redis.call('PEXPIRE', keys.history, recordTtlMs)
  end
  redis.call('ZREM', keys.live, id)
  redis.call('ZADD', keys.ended, now, id)
  if outboxEntry ~= '' then redis.call('HSET', keys.outbox, id, outboxEntry) end
  redis.call('PUBLISH', keys.channel, id)
end
