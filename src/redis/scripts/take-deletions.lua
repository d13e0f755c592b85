-- Takes deletions that are due. Another worker can take them again after `leaseMs`, if this one has not removed them by then.
--   KEYS  deletions
--   ARGV  most leaseMs
--         deletions: sorted set of erase jobs as JSON, by the time from which they may be taken
--   →     the deletions
--@include now
local now = clock()
local taken, leases = redis.call('ZRANGEBYSCORE', deletionsKey, '-inf', now, 'LIMIT', 0, most), {}
for _, deletion in ipairs(taken) do
  leases[#leases + 1] = now + tonumber(leaseMs)
  leases[#leases + 1] = deletion
end
if #taken > 0 then redis.call('ZADD', deletionsKey, unpack(leases)) end
return taken
