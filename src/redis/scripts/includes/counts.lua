-- A verification counts the paid and possibly paid calls of its check (`paid`, `maybe`, `price`) apart from those of its second
-- opinion, whose fields begin with OPINION. `counts`: '' or OPINION.
local OPINION = 'o:'

-- Whether the call that is counted there has its answer already.
local function isAnswered(counts, decided, opinion)
  if counts == OPINION then return opinion end
  return decided
end
