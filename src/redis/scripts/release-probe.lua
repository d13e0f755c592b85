-- Ends a call's probe if the call did not show whether the account is in order, so that another call may probe. Only for calls
-- that belong to no verification.
--   KEYS  gate
--   ARGV  id
--   →     ok
--@include gate
releaseProbe(gateKey, id)
return 'ok'
