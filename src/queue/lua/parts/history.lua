-- Bounded: the newest 40 entries.
local function remember(historyKey, entry)
  if entry ~= '' then
    redis.call('RPUSH', historyKey, entry)
    redis.call('LTRIM', historyKey, -40, -1)
  end
end
