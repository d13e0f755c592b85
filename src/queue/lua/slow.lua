-- The vendor throttled a call that has no intent (CreateUploadUrl).
--   KEYS  gate
--   ARGV  rest ms
--   →     ok
--@include now
--@include pace
slowDown(KEYS[1], clock(), tonumber(ARGV[1]))
return 'ok'
