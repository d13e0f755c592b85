-- The follow-ups of an end depend on the runs: whether a run has begun, whether a run may still be going on, and how many
-- generations may have been uploaded. A script that ends a verification outside a run gets follow-ups that were derived from an
-- earlier read.
-- seen: the text 'starts yields generation' (three numbers) from that read
-- → whether a run has begun or reported since that read, so that the follow-ups are out of date
local function runsChanged(journalKey, seen)
  local starts, yields, generation = unpack(redis.call('HMGET', journalKey, 'starts', 'yields', 'gen'))
  return (starts or '0') .. ' ' .. (yields or '0') .. ' ' .. (generation or '0') ~= seen
end
