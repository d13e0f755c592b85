-- Admits a request with an API key: takes tokens from the key's rate limit, and records that the key was used.
--   KEYS  apiKey
--   ARGV  perSecond burst tokens
--         tokens: how many the request costs. One of them must be there; the others may make later requests wait
--   →     0: go ahead | > 0: ms until the next token | -1: the key does not exist, or no longer exists
--@include now
if redis.call('EXISTS', apiKeyKey) == 0 then return -1 end
local now, spacing = clock(), 1000 / tonumber(perSecond)
local tat = math.max(now, tonumber(redis.call('HGET', apiKeyKey, 'tat') or '0'))
local wait = tat - (tonumber(burst) - 1) * spacing - now
if wait > 0 then return math.ceil(wait) end
redis.call('HSET', apiKeyKey, 'tat', tostring(tat + tonumber(tokens) * spacing), 'usedAt', now)
return 0
