-- Gives up an attempt's admission while the attempt waits for a source, so that other verifications are admitted. The attempt
-- asks for admission again when it has the source.
--   KEYS  gate admitted
--   ARGV  id
--   →     ok
-- Idempotent.
--@include gate
redis.call('ZREM', admittedKey, id)
releaseProbe(gateKey, id)
return 'ok'
