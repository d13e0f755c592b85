-- The ledger of paid calls: one hash for each day and one for each month. Fields: `<region>|<action>|<tenant>|paid` and `…|maybe`
-- count calls; `…|paid|USD` and `…|maybe|USD` are amounts in millionths. `all|paid` and so on are sums over all regions, actions
-- and tenants, and `of:<tenant>|paid` of one tenant. The hash of a month has only these sums. A call is booked as `maybe` when its
-- intent is declared, before any byte is sent. The outcome moves the booking to `paid`, removes it, or leaves it as `maybe` if the
-- billing is unknown.
-- ledger: { day, month: keys; place: 'region|action|tenant'; tenant: or ''; currency: '' without prices; micros: price of one call }
local LEDGER_TTL_MS = 34560000000 -- 400 days

local function book(ledger, kind, count)
  local amount = count * ledger.micros
  if amount == 0 then amount = 0 end -- without a price, -1 * 0 is the number -0, which HINCRBY refuses
  local function add(key, name)
    redis.call('HINCRBY', key, name .. '|' .. kind, count)
    if ledger.currency ~= '' then
      redis.call('HINCRBY', key, name .. '|' .. kind .. '|' .. ledger.currency, amount)
    end
  end
  add(ledger.day, ledger.place)
  add(ledger.day, 'all')
  add(ledger.month, 'all')
  if ledger.tenant ~= '' then
    add(ledger.day, 'of:' .. ledger.tenant)
    add(ledger.month, 'of:' .. ledger.tenant)
  end
end

-- Books a call for the first time.
local function bookNew(ledger, kind)
  book(ledger, kind, 1)
  for _, key in ipairs({ ledger.day, ledger.month }) do redis.call('PEXPIRE', key, LEDGER_TTL_MS) end
end

-- Books a call according to its answer. declared: whether the call is booked as `maybe`; false if Redis lost its intent.
local function bookOutcome(ledger, declared, billed)
  if billed == 'unknown' and declared then return end
  if declared then book(ledger, 'maybe', -1) end
  local kind = billed == 'yes' and 'paid' or billed == 'unknown' and 'maybe'
  if not kind then return end
  if declared then book(ledger, kind, 1) else bookNew(ledger, kind) end
end
