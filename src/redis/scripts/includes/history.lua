local MAX_ENTRIES = 40

-- Appends to the history and keeps the newest entries. An empty entry is ignored.
local function remember(historyKey, entry)
  if entry ~= '' then
    redis.call('RPUSH', historyKey, entry)
    redis.call('LTRIM', historyKey, -MAX_ENTRIES, -1)
  end
end
