/**
 * Tests of the explorer: each entry removes one protection from the scripts, and names the scenario in which the explorer must
 * notice this, and the promise that is then broken. If a `find` text no longer occurs in a script, the test fails: update the
 * entry.
 */
import type { Violation } from './invariants.ts';
import type { TextChange } from './snapshot.ts';

export interface Protection {
  readonly name: string;
  readonly changes: readonly TextChange[];
  readonly breaks: Violation['invariant'];
  readonly scenario: string;
}

function protection(
  name: string,
  [find, put]: readonly [find: string, put: string],
  breaks: Violation['invariant'],
  scenario: string,
): Protection {
  return { name, changes: [{ find, put }], breaks, scenario };
}

const ENTRY = "if outboxEntry ~= '' then";

export const PROTECTIONS: readonly Protection[] = [
  protection(
    'feeding only sessions that wait',
    ["if not state or not parked or state ~= 'delayed' then", 'if not state then'],
    'I1',
    'a session that is cancelled',
  ),
  protection(
    'booking what a result bills',
    ['paid = tonumber(paid) > 0 and tonumber(paid) or nil', 'paid = nil'],
    'I2',
    'a session whose worker dies anywhere',
  ),
  protection(
    'the check for a terminal state',
    ['if isTerminal(state) then\n  verdict', 'if false then\n  verdict'],
    'I1',
    'a worker that dies anywhere',
  ),
  protection(
    'waiting for an open call only until its deadline',
    ['if left > 0 then', 'if true then'],
    'I1',
    'every answer is lost',
  ),
  protection('the end of a hold', ['tonumber(heldUntil) > now then', 'true then'], 'I1', 'a hold, and the operator'),
  protection(
    'removing ended verifications from the index',
    ['leaveIndex(keys.live, tenant, id)', ''],
    'I1',
    'a cancel beside a run',
  ),
  protection(
    'the limit of payments',
    ['spent >= tonumber(maxPayments)', 'spent >= 1000 + tonumber(maxPayments)'],
    'I2',
    'every answer is lost',
  ),
  protection(
    'booking a call before it is made',
    ['book(ledger, { maybe = 1 })\nif showPeriods', 'if showPeriods'],
    'I2',
    'every answer is lost',
  ),
  protection(
    'counting an unknown outcome',
    [
      "redis.call('HINCRBY', journalKey, (open.counts or '') .. 'maybe', 1)\nredis.call('HINCRBY', countersKey",
      "redis.call('HINCRBY', countersKey",
    ],
    'I2',
    'every answer is lost',
  ),
  protection(
    'counting a repeated outcome once',
    ["' ' .. intentId .. ' ', 1, true) then return 'again' end", "' ' .. intentId .. ' ', 1, true) then end"],
    'I2',
    'two replies of Redis that are lost',
  ),
  protection(
    'the first decision wins',
    [
      'isAnswered(counts, decided or started, opinion)\nif not declared',
      'isAnswered(counts, started, opinion)\nif not declared',
    ],
    'I3',
    'a late answer',
  ),
  protection(
    'counting the calls for an opinion apart',
    ["counts .. 'paid', counts .. 'maybe',", "'paid', 'maybe',"],
    'I2',
    'every opinion is lost',
  ),
  protection(
    'an end has its opinion',
    ["put('s:opinion', given and '' or opinion)", ''],
    'I3',
    'every opinion is lost',
  ),
  protection(
    'the first opinion stands',
    ["put('s:opinion', given and '' or opinion)", "put('s:opinion', opinion)"],
    'I3',
    'a second opinion beside a zombie and a cancel',
  ),
  protection(
    'no decision after the end',
    ['if not declared or isTerminal(state) or', 'if not declared or'],
    'I3',
    'an operator meets a late answer',
  ),
  protection(
    'no failure after a decision',
    ["if state == 'failed' and decided then return { 'lost', '' } end", ''],
    'I3',
    'a late answer at the limit',
  ),
  protection(
    'no hold after a decision',
    [
      "currentGeneration ~= generation or decided then return 'lost' end\nif cancelled then",
      "currentGeneration ~= generation then return 'lost' end\nif cancelled then",
    ],
    'I3',
    'an operator meets a late answer',
  ),
  protection(
    'a decision releases a hold',
    ["if state == 'held' then\n  put('state', 'delayed')", "if false then\n  put('state', 'delayed')"],
    'I3',
    'an operator meets a late answer',
  ),
  protection(
    'the sweeper spares a decision',
    ["state == 'held' or decided or open", "state == 'held' or open"],
    'I3',
    'a deadline after a late answer',
  ),
  protection(
    'the fence',
    ["return redis.call('GET', lockKey)", "return true or redis.call('GET', lockKey)"],
    'I4',
    'a zombie beside another worker',
  ),
  protection(
    "the fence's count of attempts",
    [" and redis.call('HGET', jobKey, 'ats') == ats", ''],
    'I4',
    'one token, two attempts',
  ),
  protection(
    "the fence's token",
    ["redis.call('GET', lockKey) == token and", ''],
    'I4',
    'a zombie beside another worker',
  ),
  protection(
    'the intent',
    ["redis.call('HSET', journalKey, 'open', cjson.encode(intent), unpack(fields))", ''],
    'I5',
    'every answer is lost',
  ),
  protection('waiting for an open call', ['if left > 0 then', 'if false then'], 'I5', 'a worker that dies anywhere'),
  protection(
    'checking for an existing verification when claiming',
    ['if known then return', 'if false then return'],
    'I9',
    'one key, two payloads',
  ),
  protection(
    'the tombstone',
    ["if erased then return { 'gone', '', 0, '0' } end", ''],
    'I9',
    'a key is used again while it is erased',
  ),
  protection(
    'the outbox entry of an end',
    [`${ENTRY} redis.call('HSET', keys.outbox`, "if false then redis.call('HSET', keys.outbox"],
    'I14',
    'a cancel beside a run',
  ),
  protection('the deletion of an end', ["if deletion ~= '' then", 'if false then'], 'I14', 'a cancel beside a run'),
  protection(
    'the outbox entry of a decision',
    [`${ENTRY} redis.call('HSET', outboxKey, outboxField`, "if false then redis.call('HSET', outboxKey, outboxField"],
    'I14',
    'an endpoint is notified',
  ),
  protection(
    'an outbox entry of its own for an erasure',
    [
      "redis.call('HSET', outboxKey, outboxField, outboxEntry)\nend",
      "redis.call('HSET', outboxKey, id, outboxEntry)\nend",
    ],
    'I14',
    'an erasure beside a run',
  ),
  protection(
    'a cancel with fresh follow-ups',
    ["if runsChanged(journalKey, seen) then return { 'stale', state } end", ''],
    'I14',
    'a cancel beside a zombie',
  ),
  protection(
    "an operator's end with fresh follow-ups",
    [
      "and runsChanged(journalKey, seen) then return { 'stale', state } end",
      "and false then return { 'stale', state } end",
    ],
    'I14',
    'two operators',
  ),
];
