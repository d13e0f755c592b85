-- A prober that belongs to no verification ends without having learnt anything of the account.
--   KEYS  gate
--   ARGV  id
--   →     ok
--@include gate
releaseProbe(KEYS[1], ARGV[1])
return 'ok'
