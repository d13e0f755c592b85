local MAX_ENTRIES = 40

-- The position of the next entry. A sealed entry begins with its position; entries in clear have none, and are only counted.
local function nextPosition(historyKey)
  local last = string.match(redis.call('LINDEX', historyKey, -1) or '', '^(%d+):')
  return last and tonumber(last) + 1 or redis.call('LLEN', historyKey) + 1
end

-- Every script that includes this part runs this check before it does anything. `entry` is the script's argument. If it is sealed
-- for another position than the next one, the script changes nothing and answers { 'moved', next position }.
local sealedFor = string.match(entry, '^(%d+):')
if sealedFor then
  local position = nextPosition(historyKey)
  if tonumber(sealedFor) ~= position then return { 'moved', position } end
end

-- Appends to the history and keeps the newest entries. An empty entry is ignored.
local function remember(historyKey, entry)
  if entry ~= '' then
    if redis.call('RPUSH', historyKey, entry) > MAX_ENTRIES then redis.call('LTRIM', historyKey, -MAX_ENTRIES, -1) end
  end
end
