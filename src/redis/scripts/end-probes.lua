-- Ends the probes of a verification that reported no trouble. Dependencies in `passed` worked. The verification did not call the
-- other dependencies, so another verification may probe them.
--   KEYS  breakers
--   ARGV  id passed windowMs ...dependencies
--         passed: dependencies that worked, separated by spaces
--   →     ok
--@include now
--@include breaker
breakersPassed(breakersKey, id, passed, windowMs, clock())
for _, dependency in ipairs(dependencies) do
  local breaker = readBreaker(breakersKey, dependency)
  if breaker and breaker.prober == id then
    breaker.prober, breaker.proberUntil = nil, nil
    writeBreaker(breakersKey, dependency, breaker)
  end
end
return 'ok'
