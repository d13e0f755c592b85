-- May a verification continue although breakers of its dependencies are open? If so, it becomes the prober of all of them.
--   KEYS  breakers
--   ARGV  id mayProbe ...dependencies
--         mayProbe: 0 lets other verifications probe first
--   →     { ms to wait (0: go on), dependency to wait for (or ''), code of its trouble (or ''), … dependencies to probe }
--@include now
--@include breaker
local now = clock()
local worst, blamed, code = 0, '', ''
local open = {}
for _, dependency in ipairs(dependencies) do
  local breaker = readBreaker(breakersKey, dependency)
  local wait = breakerWait(breaker, id, mayProbe == '1', now)
  if wait > worst then worst, blamed, code = wait, dependency, breaker.code end
  if breaker and breaker.open then open[#open + 1] = dependency end
end
if worst > 0 then return { worst, blamed, code } end
local reply = { 0, '', '' }
for _, dependency in ipairs(open) do
  takeProbe(breakersKey, dependency, readBreaker(breakersKey, dependency), id, now)
  reply[#reply + 1] = dependency
end
return reply
