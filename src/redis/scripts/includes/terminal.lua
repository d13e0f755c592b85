local function isTerminal(state)
  return state == 'completed' or state == 'failed' or state == 'cancelled'
end
