-- Slows the rate after the vendor throttled a call that has no intent (CreateUploadUrl).
--   KEYS  gate
--   ARGV  restMs
--   →     ok
--@include now
--@include gate
--@include pace
slowDown(gateKey, clock(), tonumber(restMs))
return 'ok'
