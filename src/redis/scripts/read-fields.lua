-- Reads the same fields of many journals in one reply. A thousand commands would cost the caller ten times as much.
--   KEYS  journals
--         the prefix of the keys of journals
--   ARGV  fields ...ids
--         fields: names, separated by spaces
--   →     for each id, a list of the values
local names = {}
for name in string.gmatch(fields, '%S+') do names[#names + 1] = name end
local found = {}
for index, id in ipairs(ids) do found[index] = redis.call('HMGET', journalsKey .. id, unpack(names)) end
return found
