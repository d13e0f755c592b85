-- Answered liveness packages: a sorted set of digests by the time of the answer. `<digest>`: the vendor answered about the
-- person, so the package is a replay from then on. `<digest>#1`, `<digest>#2`, …: the vendor answered about the photo alone, and
-- nothing is known about the person. After each of the first `photoRetries` of these answers, the package is accepted again.

-- → when the package was used up, ms since 1970, or nil. Answers before `since` do not count.
local function usedUpAt(key, digest, photoRetries, since)
  for _, score in ipairs(redis.call('ZMSCORE', key, digest, digest .. '#' .. (photoRetries + 1))) do
    local answeredAt = tonumber(score or '0')
    if answeredAt > since then return answeredAt end
  end
  return nil
end

local function rememberAnswer(key, digest, photoOnly, photoRetries, now)
  if not photoOnly then
    redis.call('ZADD', key, 'NX', now, digest)
    return
  end
  for count = 1, photoRetries + 1 do
    if redis.call('ZADD', key, 'NX', now, digest .. '#' .. count) == 1 then return end
  end
end
