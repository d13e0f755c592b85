-- The one way into a terminal state: record, outbox entry, index, redaction, expiry and signal in one step.
-- Sources and links go; what was found out, and what the caller handed in as metadata, stays for the record's life.
local function finish(keys, id, now, fields, outboxEntry, recordTtlMs)
  redis.call('HSET', keys.journal, 'endedAt', now, unpack(fields))
  redis.call('HDEL', keys.journal, 'src', 's:upload', 's:md5', 'notBefore')
  redis.call('PEXPIRE', keys.journal, recordTtlMs)
  redis.call('PEXPIRE', keys.history, recordTtlMs)
  redis.call('ZREM', keys.live, id)
  redis.call('ZADD', keys.ended, now, id)
  if outboxEntry ~= '' then redis.call('HSET', keys.outbox, id, outboxEntry) end
  redis.call('PUBLISH', keys.channel, id)
end
