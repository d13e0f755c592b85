-- Records the result of a call to an endpoint.
--   KEYS  endpoint
--   ARGV  deliveryId outcome code failuresBeforeRest firstRestMs longestRestMs
--         outcome: ok | failed | gone
--   →     rests | recovered | disabled | unchanged
-- Idempotent by delivery id. If a call was sent before the endpoint began to rest, its result counts only if the call succeeded.
--@include now
local disabled, restsUntil, prober, lastFailedBy =
  unpack(redis.call('HMGET', endpointKey, 'disabled', 'until', 'prober', 'by'))
if disabled then return 'unchanged' end
if outcome == 'ok' then
  redis.call('DEL', endpointKey)
  return restsUntil and 'recovered' or 'unchanged'
end
local now = clock()
if outcome == 'gone' then
  redis.call('DEL', endpointKey)
  redis.call('HSET', endpointKey, 'disabled', now, 'code', code)
  return 'disabled'
end
if lastFailedBy == deliveryId or (restsUntil and prober ~= deliveryId) then return 'unchanged' end
redis.call('HSET', endpointKey, 'by', deliveryId, 'code', code)
if redis.call('HINCRBY', endpointKey, 'fails', 1) < tonumber(failuresBeforeRest) then return 'unchanged' end
local rests = redis.call('HINCRBY', endpointKey, 'rests', 1)
redis.call('HSET', endpointKey, 'until', now + math.min(tonumber(firstRestMs) * 2 ^ (rests - 1), tonumber(longestRestMs)))
redis.call('HDEL', endpointKey, 'prober', 'proberUntil')
return 'rests'
