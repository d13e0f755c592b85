-- The ledger of paid calls: one hash for each day and one for each month. Fields: `<region>|<action>|<tenant>|paid` and `…|maybe`
-- count calls; `…|paid|USD` and `…|maybe|USD` are amounts in millionths. `all|paid` and so on are sums over all regions, actions
-- and tenants, and `of:<tenant>|paid` of one tenant. The hash of a month has only these sums. A call is booked as `maybe` when its
-- intent is declared, before any byte is sent. The outcome moves the booking to `paid`, removes it, or leaves it as `maybe` if the
-- billing is unknown.
-- ledger: { day, month: keys; place: 'region|action|tenant'; tenant: or ''; currency: '' without prices; micros: price of one call }
local LEDGER_TTL_MS = 34560000000 -- 400 days

-- Adds to fields of a hash: for more than one, HMGET and HSET in place of an HINCRBY for each.
local function addTo(key, fields, amounts)
  if #fields == 1 then return redis.call('HINCRBY', key, fields[1], amounts[1]) end
  local values, sums = redis.call('HMGET', key, unpack(fields)), {}
  for i, field in ipairs(fields) do
    sums[2 * i - 1] = field
    sums[2 * i] = string.format('%.0f', tonumber(values[i] or '0') + amounts[i])
  end
  redis.call('HSET', key, unpack(sums))
end

-- changes: { maybe = …, paid = … }: by how much each count changes
local function book(ledger, changes)
  local function add(key, names)
    local fields, amounts = {}, {}
    for _, name in ipairs(names) do
      for _, kind in ipairs({ 'maybe', 'paid' }) do
        local count, field = changes[kind], name .. '|' .. kind
        if count then
          fields[#fields + 1], amounts[#amounts + 1] = field, count
          if ledger.currency ~= '' then
            fields[#fields + 1], amounts[#amounts + 1] = field .. '|' .. ledger.currency, count * ledger.micros
          end
        end
      end
    end
    addTo(key, fields, amounts)
  end
  local tenant = ledger.tenant ~= '' and 'of:' .. ledger.tenant or nil
  add(ledger.day, { ledger.place, 'all', tenant })
  add(ledger.month, { 'all', tenant })
end

local function expireLedger(ledger)
  for _, key in ipairs({ ledger.day, ledger.month }) do redis.call('PEXPIRE', key, LEDGER_TTL_MS) end
end

-- Books a call according to its answer. declared: whether the call is booked as `maybe`; false if Redis lost its intent.
local function bookOutcome(ledger, declared, billed)
  if billed == 'unknown' and declared then return end
  local changes = { maybe = declared and -1 or nil }
  if billed == 'yes' then changes.paid = 1 end
  if billed == 'unknown' then changes.maybe = 1 end
  if not declared and billed == 'no' then return end
  book(ledger, changes)
  if not declared then expireLedger(ledger) end
end
