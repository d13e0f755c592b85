-- Admits a request with an API key: checks the secret, takes tokens from the key's rate, and notes that the key was used.
--   KEYS  apiKey
--   ARGV  step hash mode burstSeconds tokens
--         step: admit | charge (the request was admitted before: only the tokens are taken, without a limit)
--         hash: of the secret of the request; mode: of the deployment. A key of another mode takes no token
--         burstSeconds: a burst may be as many requests as the rate allows in this time
--         tokens: how many the request costs. One of them must be there; the others may make later requests wait
--   →     { -1 } (the key is unknown, expired or revoked, or the secret is wrong)
--         | { 0 (go ahead) or ms until the next token, the key as field, value, … }
--@include now
local stored = redis.call('HGETALL', apiKeyKey)
local key = {}
for i = 1, #stored, 2 do key[stored[i]] = stored[i + 1] end
if not key.hash then return { -1 } end
local now = clock()
if step == 'admit' then
  local expired = key.expiresAt and tonumber(key.expiresAt) <= now
  if key.hash ~= hash or key.revokedAt or expired then return { -1 } end
  if key.mode ~= mode then return { 0, unpack(stored) } end
end
local spacing = 1000 / tonumber(key.perSecond)
local tat = math.max(now, tonumber(key.tat or '0'))
local burst = math.max(1, math.floor(tonumber(key.perSecond) * tonumber(burstSeconds) + 0.5))
local wait = tat - (burst - 1) * spacing - now
if step == 'admit' and wait > 0 then return { math.ceil(wait), unpack(stored) } end
redis.call('HSET', apiKeyKey, 'tat', tostring(tat + tonumber(tokens) * spacing), 'usedAt', now)
return { 0, unpack(stored) }
