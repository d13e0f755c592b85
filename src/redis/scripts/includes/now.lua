-- The time in ms since 1970. All scripts use Redis's clock, so clock differences between machines do not matter.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
