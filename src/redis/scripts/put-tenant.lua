-- Stores or removes the policy of a tenant, if it is the version that the caller expects.
--   KEYS  tenants versions
--   ARGV  tenant expected record
--         versions: the last version of each tenant, also of a removed one; expected: the version that is replaced, 0: none, -1: any;
--         record: JSON without the version, or '' to remove
--   →     the new version (0: removed) | -1: another version is stored
local stored = redis.call('HEXISTS', tenantsKey, tenant) == 1
local last = tonumber(redis.call('HGET', versionsKey, tenant) or '0')
local version = stored and last or 0
if tonumber(expected) >= 0 and tonumber(expected) ~= version then return -1 end
if record == '' then
  redis.call('HDEL', tenantsKey, tenant)
  return 0
end
redis.call('HSET', versionsKey, tenant, last + 1)
redis.call('HSET', tenantsKey, tenant, (last + 1) .. ' ' .. record)
return last + 1
