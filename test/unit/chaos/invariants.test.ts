/**
 * Tests the invariants of the chaos kit: a good run violates none, and every kind of bad run violates the right one.
 */
import { describe, expect, it } from 'vitest';
import type { VerificationView } from '../../../src/domain/verification/view.ts';
import type { CallEntry } from '../../../src/emulator/control.ts';
import type { Accepted, Evidence } from '../../chaos/evidence.ts';
import { INVARIANTS, judge } from '../../chaos/invariants.ts';
import type { ExecutedCommand, Write } from '../../chaos/witness.ts';

const PREFIX = '{p}';
const ID = `v${'1'.repeat(25)}`;
const OTHER = `v${'2'.repeat(25)}`;
const JOURNAL = `${PREFIX}:v:${ID}`;
const JOB = `${PREFIX}:verify-ap-singapore:${ID}`;
const FRAME = { md5: 'f'.repeat(32), bytes: 10 };
const accepted: Accepted = {
  id: ID,
  key: 'key',
  status: 'new',
  at: 0,
  upload: 'own-bucket',
  lane: 'batch',
  card: 'match',
  hasWebhook: true,
  liveData: { md5: 'a'.repeat(32), bytes: 100 },
  image: { md5: 'b'.repeat(32), bytes: 200 },
};
const view = {
  id: ID,
  state: 'completed',
  decision: 'match',
  upload: 'own-bucket',
  frame: 'stored',
  bestFrame: { path: '/frames/one.jpg', ...FRAME },
  paidCalls: 1,
  possiblyPaidCalls: 0,
  history: [{ at: 1, event: 'done', stage: 'detect' }],
} as unknown as VerificationView;

const hset = (...args: string[]): Write => ({ command: 'hset', key: JOURNAL, args });
const ats: Write = { command: 'hincrby', key: JOB, args: ['ats', '1'] };

function executed(
  at: number,
  script: string | null,
  args: readonly string[],
  writes: readonly Write[],
  source = 'w1',
): ExecutedCommand {
  return { at, script, source, keys: [JOURNAL, `${JOB}:lock`, JOB], args, writes: [...writes] };
}

const put = (resource: string, bytes: number): CallEntry => ({
  seq: 1,
  at: 1,
  event: 'call',
  service: 'cos',
  action: 'PutObject',
  code: 'OK',
  bytes,
  objects: [`bucket/bestframe/${ID}/0/${resource}`],
});
const detect: CallEntry = {
  seq: 2,
  at: 1_500,
  event: 'call',
  service: 'faceid',
  action: 'DetectReflectLivenessAndCompare',
  code: 'Success',
  billed: true,
  objects: [`bucket/bestframe/${ID}/0/liveData`],
};

const EXECUTED = [
  executed(1, 'claim-verification', [ID], [hset('fp', 'x', 'state', 'queued')]),
  executed(2, null, [], [{ command: 'hmset', key: JOB, args: [] }]),
  executed(3, null, [], [ats]),
  executed(4, 'begin-attempt', ['t', '1'], [hset('begun', 't/1'), hset('state', 'active')]),
  executed(5, 'declare-intent', ['t', '1'], [hset('open', '{"iid":"i","until":2000}')]),
  executed(6, 'record-outcome', [ID], [hset('decision', 'match')]),
  executed(7, 'settle', ['t', '1'], [hset('endedAt', '7', 'state', 'completed')]),
  executed(8, null, [], [{ command: 'hmset', key: `${PREFIX}:erase:erase-${ID}-1`, args: [] }]),
];

const GOOD: Evidence = {
  prefix: PREFIX,
  limits: { qps: 10, callMs: 1_000, resumeMs: 15_000, standstillMs: 20_000, maxPayments: 2, crashBudget: 5 },
  accepted: [accepted],
  views: new Map([[ID, view]]),
  ledger: { paidCalls: 1, possiblyPaidCalls: 0 },
  calls: [put('liveData', 100), put('image', 200), detect],
  objects: [{ bucket: 'faceid-result-sg', key: 'one.jpg', sizeBytes: FRAME.bytes, md5: FRAME.md5 }],
  frames: new Map([['/frames/one.jpg', FRAME]]),
  forged: new Set(),
  executed: EXECUTED,
  gaps: [],
  kills: [],
  windows: [],
  stalls: [],
  left: [
    { key: JOURNAL, type: 'hash', size: 10 },
    { key: `${PREFIX}:notify:notify-${ID}-ended`, type: 'hash', size: 5 },
  ],
  texts: new Map([['the log', 'nothing']]),
  canaries: ['canary'],
  startedAt: 0,
  settledAt: 100_000,
  settled: true,
  excused: new Set(),
  erased: new Set(),
  lossy: false,
  saturated: false,
  findings: [],
};

const begun = (at: number, token: string, source: string) =>
  executed(at, 'begin-attempt', [token, '1'], [hset('begun', `${token}/1`)], source);

const BAD: Readonly<Record<string, [string, Partial<Evidence>][]>> = {
  I1: [
    ['Redis does not know the verification', { views: new Map([[ID, null]]) }],
    ['the verification is still active', { views: new Map([[ID, { ...view, state: 'active' }]]) }],
    [
      'the verification ends twice',
      { executed: [...EXECUTED, executed(9, 'settle', ['t', '1'], [hset('endedAt', '9')])] },
    ],
  ],
  I2: [
    ['a call is billed twice although no outcome is unknown', { calls: [...GOOD.calls, { ...detect, at: 1_600 }] }],
    ['a billed call is not counted', { views: new Map([[ID, { ...view, paidCalls: 0 }]]) }],
    [
      'a verification is billed three times',
      {
        calls: [...GOOD.calls, detect, detect],
        views: new Map([
          [
            ID,
            {
              ...view,
              paidCalls: 3,
              history: [
                { at: 1, event: 'unknown' },
                { at: 2, event: 'unknown' },
              ],
            },
          ],
        ]),
      },
    ],
  ],
  I3: [
    [
      'a second decision is written',
      {
        executed: [
          ...EXECUTED.slice(0, 6),
          executed(6, 'record-outcome', [ID], [hset('decision', 'no_match')]),
          ...EXECUTED.slice(6),
        ],
      },
    ],
    [
      'state is written after the end',
      { executed: [...EXECUTED, executed(9, 'begin-attempt', ['t', '1'], [hset('state', 'active')])] },
    ],
    [
      'the client reads another decision than Redis holds',
      { views: new Map([[ID, { ...view, decision: 'no_match' }]]) },
    ],
  ],
  I4: [
    [
      'an attempt commits after losing its lease',
      {
        executed: [
          ...EXECUTED.slice(0, 5),
          executed(5, null, [], [ats]),
          executed(6, 'commit-stage', ['t', '1'], [hset('s:upload', '{}')]),
        ],
      },
    ],
  ],
  I5: [
    [
      'a call is billed after its deadline',
      { calls: [put('liveData', 100), put('image', 200), { ...detect, at: 5_000 }] },
    ],
  ],
  I6: [
    [
      'a killed attempt is picked up late',
      {
        executed: [begun(4, 't', 'dead'), begun(60_000, 'u', 'w2')],
        kills: [{ at: 10, sources: ['dead'], freeAt: 10 }],
      },
    ],
    [
      'a killed attempt is never picked up',
      { executed: [begun(4, 't', 'dead')], kills: [{ at: 10, sources: ['dead'], freeAt: 10 }] },
    ],
  ],
  I7: [
    ['a verification waits forever', { settled: false, views: new Map([[ID, { ...view, state: 'delayed' }]]) }],
    [
      'all work stops for too long',
      { executed: [...EXECUTED.slice(0, 6), executed(60_000, 'settle', ['t', '1'], [hset('endedAt', '7')])] },
    ],
  ],
  I8: [
    ['the vendor receives different bytes', { calls: [put('liveData', 99), detect] }],
    [
      'an object matches no source',
      { objects: [...GOOD.objects, { bucket: 'b', key: 'k', sizeBytes: 1, md5: 'c'.repeat(32) }] },
    ],
    ['a different frame is stored', { frames: new Map([['/frames/one.jpg', { md5: 'e'.repeat(32), bytes: 1 }]]) }],
    ['a forged frame is stored', { forged: new Set([FRAME.md5]) }],
    ['no frame is stored', { frames: new Map() }],
  ],
  I9: [
    ['one key gets two ids', { accepted: [accepted, { ...accepted, id: OTHER }] }],
    [
      'one verification is claimed twice',
      { executed: [...EXECUTED, executed(9, 'claim-verification', [ID], [hset('fp', 'x')])] },
    ],
  ],
  I10: [
    [
      'the vendor throttles a call',
      { calls: [...GOOD.calls, { ...detect, billed: false, code: 'RequestLimitExceeded' }] },
    ],
  ],
  I11: [
    [
      'attempts restart beyond the crash budget',
      { executed: [...EXECUTED, ...Array.from({ length: 6 }, (_, run) => begun(10 + run, `t${run}`, 'w1'))] },
    ],
  ],
  I12: [['a log contains a canary', { texts: new Map([['the log', 'key canary']]) }]],
  I13: [
    [
      'an ended verification is still in the live set',
      { left: [...GOOD.left, { key: `${PREFIX}:live`, type: 'zset', size: 1 }] },
    ],
    ['a job lock is left behind', { left: [...GOOD.left, { key: `${JOB}:lock`, type: 'string', size: 1 }] }],
  ],
  I14: [
    ['the end is not notified', { left: GOOD.left.filter(({ key }) => !key.includes('notify')) }],
    [
      'vendor objects are left behind',
      {
        objects: [
          ...GOOD.objects,
          { bucket: 'b', key: `bestframe/${ID}/0/image`, sizeBytes: 200, md5: accepted.image.md5 },
        ],
      },
    ],
    [
      'two erasures are queued for one verification',
      {
        executed: [
          ...EXECUTED,
          executed(9, null, [], [{ command: 'hmset', key: `${PREFIX}:erase:erase-${ID}-2`, args: [] }]),
        ],
      },
    ],
    [
      'an erased verification still has a frame',
      {
        erased: new Set([ID]),
        frames: new Map([
          [`/frames/${ID}.jpg`, FRAME],
          ['/frames/one.jpg', FRAME],
        ]),
      },
    ],
  ],
  I15: [
    [
      'ended for an outage',
      { views: new Map([[ID, { ...view, state: 'failed', reason: { code: 'InternalError' } } as VerificationView]]) },
    ],
  ],
  I16: [
    [
      'ended for a machine',
      { views: new Map([[ID, { ...view, state: 'failed', reason: { code: 'SINK_FULL' } } as VerificationView]]) },
    ],
    [
      'a gate that closed though the account was never refused',
      {
        executed: [
          executed(
            1,
            'trip-gate',
            [],
            [{ command: 'hset', key: `${PREFIX}:gate:ap-singapore:x`, args: ['state', 'closed'] }],
          ),
        ],
      },
    ],
    [
      'a verification that did not end while another caller’s host stalled',
      { stalls: [{ from: 0, acceptedUntil: 0, to: 1, caller: 'slow.example.com' }] },
    ],
  ],
  I17: [
    ['a call that is not in the ledger', { ledger: { paidCalls: 0, possiblyPaidCalls: 0 } }],
    ['more paid than billed', { ledger: { paidCalls: 2, possiblyPaidCalls: 0 } }],
    ['a verification says more than was billed', { views: new Map([[ID, { ...view, paidCalls: 2 }]]) }],
    ['less in the ledger than in the verifications', { views: new Map([[ID, { ...view, possiblyPaidCalls: 1 }]]) }],
  ],
};

it('finds nothing in a good run', () => {
  expect(judge(GOOD)).toEqual([]);
});

it('covers every invariant with bad runs', () => {
  expect(Object.keys(BAD)).toEqual([...INVARIANTS]);
});

describe.each(Object.entries(BAD))('%s', (invariant, cases) => {
  it.each(cases)('%s', (_name, bad) => {
    expect(judge({ ...GOOD, ...bad }).map((violation) => violation.invariant)).toContain(invariant);
  });
});

it('does not count what a kill of Redis may have undone', () => {
  const undone = [
    { ...executed(5, null, [], [ats]), mayBeLost: true as const },
    { ...executed(6, 'settle', ['t', '1'], [hset('endedAt', '6', 'state', 'completed')]), mayBeLost: true as const },
  ];
  const run = (between: ExecutedCommand[]) => ({
    ...GOOD,
    executed: [...EXECUTED.slice(0, 5), ...between, ...EXECUTED.slice(5)],
  });
  expect(judge(run(undone))).toEqual([]);
  const kept = undone.map(({ mayBeLost: _, ...command }) => command);
  expect([...new Set(judge(run(kept)).map(({ invariant }) => invariant))]).toEqual(['I1', 'I3', 'I4']);
});

it('expects no progress while Redis is unavailable', () => {
  const still = { executed: [...EXECUTED.slice(0, 6), executed(60_000, 'settle', ['t', '1'], [hset('endedAt', '7')])] };
  const windows = [{ from: 1_000, to: 58_000, why: 'redis' as const }];
  expect(judge({ ...GOOD, ...still, windows })).toEqual([]);
});

it('does not wait for a verification that has ended, when a late answer is recorded', () => {
  const late = executed(9, 'record-outcome', [ID], [hset('paid', '2')]);
  expect(judge({ ...GOOD, executed: [...EXECUTED, late], settledAt: 600_000 })).toEqual([]);
});

it('relaxes the invariants for a Redis that lost acknowledged writes', () => {
  const twice = { calls: [...GOOD.calls, { ...detect, at: 1_600 }], lossy: true };
  expect(judge({ ...GOOD, ...twice })).toEqual([]);
});
