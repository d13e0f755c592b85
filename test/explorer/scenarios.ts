/**
 * The scenarios. Each has few actors, because the number of states grows with the product of their steps. `left` bounds the events
 * that could repeat without end: starts, deaths, lost replies, steps of time.
 */
import { canceller, eraser } from './actors/callers.ts';
import { breaker, operator, steerer, tripper } from './actors/operators.ts';
import { decider, producer } from './actors/producer.ts';
import { outboxSweeper, reaper, repairer } from './actors/recovery.ts';
import { indexSweeper, retrier } from './actors/retrier.ts';
import { feeder, finisher, sessionProducer } from './actors/session.ts';
import { type Moment, time } from './actors/time.ts';
import { vendor } from './actors/vendor.ts';
import { worker } from './actors/worker.ts';
import type { Actor } from './step.ts';

export interface Scenario {
  readonly name: string;
  /** Actors that have finished before the scenario begins. */
  readonly prelude: readonly Actor[];
  readonly actors: readonly Actor[];
  readonly left: Readonly<Record<string, number>>;
  readonly ids: readonly string[];
}

interface Bounds {
  readonly takes?: number;
  readonly deaths?: number;
  readonly replies?: number;
  readonly renewals?: number;
  readonly sweeps?: number;
  readonly repairs?: number;
  readonly feeds?: number;
  /** How many steps of each kind the actor `time` may take. */
  readonly passes?: Readonly<Partial<Record<Moment, number>>>;
}

/** @param begins actors that have finished before the scenario begins. Default: a producer. */
function scenario(
  name: string,
  actors: readonly Actor[],
  { passes = {}, ...bounds }: Bounds,
  { begins = [producer('producer')], ids = ['a'] }: { begins?: readonly Actor[]; ids?: readonly string[] } = {},
): Scenario {
  const kinds = Object.keys(passes) as Moment[];
  const clocks = kinds.length === 0 ? [] : [time(kinds)];
  const times = Object.fromEntries(Object.entries(passes).map(([kind, times]) => [`time ${kind}`, times]));
  return { name, prelude: begins, actors: [...actors, ...clocks], left: { ...bounds, ...times }, ids };
}

const NOTIFIED = { begins: [producer('producer', { webhook: true })] };
const ASKING = { begins: [producer('producer', { secondOpinion: true })] };
const ANSWERS = vendor(['answers']);
const LOSES = vendor(['answers', 'loses']);
const [W1, W2] = [worker('w1'), worker('w2')];

const RUNS: readonly Scenario[] = [
  scenario('a worker that dies anywhere', [worker('w1', { dies: true }), W2, reaper(), LOSES], {
    ...{ takes: 2, deaths: 1, passes: { lease: 2, call: 1 } },
  }),
  scenario('a zombie beside another worker', [W1, W2, reaper(), ANSWERS], { takes: 2, passes: { lease: 1, call: 1 } }),
  scenario('a zombie that is started again', [W1, W2, reaper(), ANSWERS], { takes: 3, passes: { lease: 2 } }),
  scenario('one token, two attempts', [W1, worker('w1 again', { token: 'w1:0' }), reaper(), ANSWERS], {
    takes: 2,
    passes: { lease: 1 },
  }),
  scenario('every answer is lost', [W1, reaper(), vendor(['loses'])], { takes: 4, passes: { call: 4 } }),
  scenario('answers that are lost', [W1, W2, reaper(), LOSES], { takes: 3, passes: { lease: 1, call: 2, wait: 1 } }),
  scenario('a late answer', [W1, W2, reaper(), ANSWERS], { takes: 2, passes: { call: 1 } }),
  scenario('a late answer, and a third run', [W1, W2, reaper(), ANSWERS], {
    takes: 3,
    passes: { lease: 1, call: 1, slot: 1 },
  }),
  scenario('a reply of Redis that is lost', [W1, W2, reaper(), ANSWERS], {
    takes: 2,
    replies: 1,
    passes: { lease: 1 },
  }),
  scenario('two replies of Redis that are lost', [W1, ANSWERS], { takes: 1, replies: 2, passes: { call: 1 } }),
  scenario('errors of the vendor', [W1, vendor(['refuses', 'unclear', 'answers'])], {
    ...{ takes: 4, passes: { wait: 3, call: 1 } },
  }),
  scenario('a connection that is refused', [worker('w1', { unsent: true }), W2, reaper(), ANSWERS], {
    ...{ takes: 3, passes: { lease: 1, wait: 1 } },
  }),
  scenario('a slot that is missed', [W1, W2, reaper(), LOSES], { takes: 2, passes: { slot: 2, lease: 1, call: 1 } }),
  scenario('leases that are renewed', [worker('w1', { renews: true }), W2, reaper(), canceller(), ANSWERS], {
    ...{ takes: 2, renewals: 2, passes: { lease: 1 } },
  }),
  scenario(
    'crashes while alone',
    [
      worker('w1', { dies: true, marksAlone: true, crashBudget: 1 }),
      worker('w2', { dies: true, marksAlone: true, crashBudget: 1 }),
      worker('w3', { dies: true, marksAlone: true, crashBudget: 1 }),
      worker('w4', { marksAlone: true, crashBudget: 1 }),
      reaper(),
    ],
    {
      ...{ takes: 4, deaths: 3, passes: { lease: 3 } },
    },
  ),
];

const OPINIONS: readonly Scenario[] = [
  scenario(
    'a second opinion whose worker dies anywhere',
    [worker('w1', { dies: true }), W2, reaper(), LOSES],
    { takes: 2, deaths: 1, passes: { lease: 2, call: 1 } },
    ASKING,
  ),
  scenario('every opinion is lost', [W1, reaper(), LOSES], { takes: 4, passes: { call: 3, wait: 1 } }, ASKING),
  scenario(
    'a second opinion beside a zombie and a cancel',
    [W1, W2, reaper(), canceller(), ANSWERS],
    { takes: 2, passes: { lease: 1 } },
    { begins: [...ASKING.begins, decider()] },
  ),
  scenario('a late opinion', [W1, W2, reaper(), ANSWERS], { takes: 3, passes: { call: 1, lease: 1 } }, ASKING),
];

const REWINDS: readonly Scenario[] = [
  scenario('uploads that fail', [worker('w1', { failures: ['retry', 'rewind', 'fail'] }), W2, reaper(), ANSWERS], {
    ...{ takes: 3, passes: { lease: 1, wait: 1 } },
  }),
  scenario('a rewind beside a zombie', [worker('w1', { failures: ['rewind'] }), W2, reaper(), LOSES], {
    ...{ takes: 3, passes: { lease: 2, call: 1 } },
  }),
];

const HOLDS: readonly Scenario[] = [
  scenario(
    'a hold, and the operator',
    [
      worker('w1', { failures: ['hold'] }),
      operator(['retry', 'rewind', 'fail', 'recapture']),
      outboxSweeper(),
      ANSWERS,
    ],
    {
      ...{ takes: 2, sweeps: 1, passes: { hold: 1 } },
    },
  ),
  scenario(
    'a hold that ends while it is resolved',
    [worker('w1', { failures: ['hold'] }), W2, reaper(), operator(['retry', 'fail', 'recapture']), ANSWERS],
    {
      ...{ takes: 3, passes: { hold: 1, lease: 1 } },
    },
  ),
  scenario(
    'an unknown outcome is reviewed',
    [
      worker('w1', { review: true }),
      worker('w2', { review: true }),
      reaper(),
      LOSES,
      operator(['retry', 'accept-late', 'recapture']),
    ],
    {
      ...{ takes: 3, passes: { lease: 1, call: 1 } },
    },
  ),
  scenario(
    'an operator meets a late answer',
    [
      worker('w1', { review: true }),
      worker('w2', { review: true }),
      reaper(),
      ANSWERS,
      operator(['fail', 'recapture']),
    ],
    { takes: 2, passes: { lease: 1, call: 1 } },
  ),
  scenario('a late answer at the limit', [W1, worker('w2', { maxPayments: 1 }), reaper(), ANSWERS], {
    takes: 2,
    passes: { lease: 1, call: 1 },
  }),
  scenario(
    'two operators',
    [
      worker('w1', { failures: ['hold', 'rewind'] }),
      operator(['rewind'], { name: 'first operator' }),
      operator(['fail'], { name: 'second operator' }),
    ],
    { takes: 3 },
  ),
  scenario(
    'a late answer meets the operator',
    [W1, worker('w2', { failures: ['hold'] }), reaper(), ANSWERS, operator(['rewind', 'accept-late', 'fail'])],
    {
      ...{ takes: 3, passes: { lease: 1, call: 1 } },
    },
    NOTIFIED,
  ),
  scenario(
    'a hold that is cancelled',
    [worker('w1', { failures: ['hold'] }), canceller(), operator(['retry', 'recapture']), outboxSweeper(), ANSWERS],
    {
      ...{ takes: 2, sweeps: 1, passes: { lease: 1 } },
    },
  ),
];

const ENDS: readonly Scenario[] = [
  scenario('a cancel beside a run', [W1, canceller(), reaper(), outboxSweeper(), LOSES], {
    ...{ takes: 2, sweeps: 1, passes: { lease: 1, call: 1 } },
  }),
  scenario('a cancel beside a zombie', [W1, W2, canceller(), reaper(), ANSWERS], { takes: 2, passes: { lease: 1 } }),
  scenario('two cancels', [W1, canceller(), canceller('a', 'second canceller'), ANSWERS], {
    takes: 1,
    passes: { lease: 1 },
  }),
  scenario(
    'a cancel whose reply is lost',
    [W1, canceller(), outboxSweeper(), ANSWERS],
    { takes: 1, replies: 1, sweeps: 1 },
    NOTIFIED,
  ),
  scenario(
    'an endpoint is notified',
    [worker('w1', { dies: true }), W2, reaper(), outboxSweeper(), ANSWERS],
    {
      ...{ takes: 2, deaths: 1, sweeps: 2, passes: { lease: 1 } },
    },
    NOTIFIED,
  ),
  scenario('a deadline, and the sweeper', [W1, repairer(), reaper(), LOSES, outboxSweeper()], {
    ...{ takes: 2, repairs: 2, sweeps: 1, passes: { lease: 1, deadline: 1, call: 1 } },
  }),
  scenario('a deadline after a late answer', [W1, W2, reaper(), repairer(), ANSWERS], {
    takes: 2,
    repairs: 1,
    passes: { lease: 1, deadline: 1 },
  }),
  scenario(
    'a deadline, a cancel and the sweeper',
    [worker('w1', { failures: ['retry'] }), repairer(), canceller(), reaper()],
    {
      ...{ takes: 2, repairs: 1, passes: { lease: 1, deadline: 1 } },
    },
  ),
];

const FAILING = worker('w1', { failures: ['fail'] });

const RETRIES: readonly Scenario[] = [
  scenario('a retry after a failure', [FAILING, retrier({ dies: true }), repairer(), reaper(), ANSWERS], {
    takes: 3,
    repairs: 1,
    passes: { lease: 1 },
  }),
  scenario('a retry beside a zombie', [FAILING, W2, retrier(), reaper(), ANSWERS], { takes: 3, passes: { lease: 1 } }),
  scenario(
    'a retry, and the outbox',
    [worker('w1', { failures: ['fail'], dies: true }), W2, retrier(), reaper(), outboxSweeper(), ANSWERS],
    { takes: 3, deaths: 1, sweeps: 2, passes: { lease: 1 } },
    NOTIFIED,
  ),
  scenario('a retry, a cancel and an erasure', [FAILING, retrier(), canceller(), eraser(), outboxSweeper()], {
    takes: 2,
    sweeps: 2,
  }),
  scenario('a retry after a late answer', [W1, worker('w2', { maxPayments: 1 }), retrier(), reaper(), ANSWERS], {
    takes: 3,
    passes: { lease: 1, call: 1 },
  }),
  scenario('a retry beside the sweeper', [FAILING, retrier({ dies: true }), indexSweeper(), repairer(), ANSWERS], {
    takes: 2,
    repairs: 1,
  }),
];

const ERASURES: readonly Scenario[] = [
  scenario(
    'an erasure beside a run',
    [W1, eraser(), reaper(), LOSES],
    { takes: 2, passes: { lease: 1, call: 1 } },
    NOTIFIED,
  ),
  scenario(
    'an erasure that is interrupted',
    [W1, eraser({ dies: true }), outboxSweeper(), ANSWERS],
    { takes: 1, sweeps: 3 },
    NOTIFIED,
  ),
  scenario('an erasure, a cancel and a zombie', [W1, W2, eraser(), canceller(), reaper()], {
    takes: 2,
    passes: { lease: 1 },
  }),
  scenario(
    'an erasure of a held one',
    [worker('w1', { failures: ['hold'] }), eraser(), operator(['retry', 'fail']), outboxSweeper()],
    { takes: 2, sweeps: 2 },
  ),
  scenario(
    'a key is used again while it is erased',
    [producer('p1'), producer('p2', { payload: '2' }), W1, eraser()],
    { takes: 1, replies: 1 },
    { begins: [] },
  ),
];

const DOORS: readonly Scenario[] = [
  scenario(
    'one key, two producers',
    [producer('p1', { dies: true }), producer('p2'), W1, repairer(), ANSWERS],
    { takes: 2, repairs: 1, replies: 1 },
    { begins: [] },
  ),
  scenario(
    'one key, two payloads',
    [producer('p1'), producer('p2', { payload: '2' }), W1, canceller(), ANSWERS],
    { takes: 1 },
    { begins: [] },
  ),
];

const SHARED: readonly Scenario[] = [
  scenario('the account is in trouble', [W1, W2, reaper(), tripper(), vendor(['answers', 'refuses', 'loses'])], {
    ...{ takes: 3, passes: { probe: 2, lease: 1, wait: 1, call: 1 } },
  }),
  scenario('an operator steers the gate', [W1, steerer(['pause', 'close', 'open', 'resume']), repairer(), LOSES], {
    ...{ takes: 3, repairs: 1, passes: { wait: 2, call: 1, deadline: 1 } },
  }),
  scenario(
    'a breaker opens',
    [worker('w1', { reportsTrouble: true }), worker('w2', { reportsTrouble: true }), reaper(), breaker(), LOSES],
    {
      ...{ takes: 3, passes: { probe: 2, lease: 1, call: 2 } },
    },
  ),
];

const SESSION = { begins: [sessionProducer()] };
const [S1, S2] = [worker('s1', { session: true }), worker('s2', { session: true })];

const SESSIONS: readonly Scenario[] = [
  scenario(
    'a session whose worker stalls',
    [S1, feeder(), reaper(), ANSWERS],
    {
      ...{ takes: 2, feeds: 1, passes: { lease: 1, wait: 1 } },
    },
    SESSION,
  ),
  scenario(
    'a session whose worker dies anywhere',
    [worker('s1', { session: true, dies: true }), S2, reaper(), feeder(), LOSES],
    { takes: 3, deaths: 1, feeds: 2, passes: { lease: 2, call: 1, wait: 1 } },
    SESSION,
  ),
  scenario(
    'two feeders, one session',
    [S1, feeder('f1', { dies: true }), feeder('f2'), repairer(), finisher(), ANSWERS],
    { takes: 3, feeds: 3, repairs: 1, passes: { wait: 2 } },
    SESSION,
  ),
  scenario(
    'an end that is reported while the result is asked for',
    [S1, S2, feeder(), finisher(), reaper(), ANSWERS],
    { takes: 3, feeds: 2, replies: 1, passes: { wait: 1, lease: 1 } },
    SESSION,
  ),
  scenario(
    'a zombie beside a session',
    [S1, worker('s1 again', { session: true, token: 's1:0' }), feeder(), reaper(), ANSWERS],
    { takes: 4, feeds: 2, passes: { lease: 2, wait: 1 } },
    SESSION,
  ),
  scenario(
    'a session that is cancelled',
    [S1, canceller(), feeder(), reaper(), outboxSweeper(), ANSWERS],
    { takes: 2, feeds: 2, sweeps: 1, passes: { wait: 1, lease: 1 } },
    SESSION,
  ),
  scenario(
    'a session that is erased',
    [S1, eraser(), feeder(), finisher(), outboxSweeper(), ANSWERS],
    { takes: 2, feeds: 2, sweeps: 2, passes: { wait: 1 } },
    SESSION,
  ),
];

const PAIR = { ids: ['a', 'b'], begins: [producer('producer'), producer('producer of b', { id: 'b' })] };
const OF_B = [vendor(['answers'], 'b'), reaper('b')];

const PAIRS: readonly Scenario[] = [
  scenario(
    'two verifications, one place',
    [
      worker('w1', { capacity: 1 }),
      worker('w2', { id: 'b', capacity: 1 }),
      ANSWERS,
      vendor(['answers'], 'b'),
      canceller(),
    ],
    { takes: 2, passes: { lease: 1 } },
    PAIR,
  ),
  scenario(
    'two verifications, one package',
    [
      worker('w1', { refusesReuse: true }),
      worker('w2', { id: 'b', refusesReuse: true }),
      ANSWERS,
      vendor(['answers'], 'b'),
    ],
    { takes: 2 },
    PAIR,
  ),
  scenario(
    'two verifications, a closed gate',
    [W1, worker('w2', { id: 'b' }), vendor(['answers', 'refuses']), ...OF_B, tripper()],
    { takes: 3, passes: { probe: 1, lease: 1 } },
    PAIR,
  ),
  scenario(
    'two verifications, cancel and erasure',
    [W1, worker('w2', { id: 'b' }), ANSWERS, canceller('b'), eraser(), outboxSweeper('b')],
    { takes: 2, sweeps: 1 },
    PAIR,
  ),
];

export const SCENARIOS: readonly Scenario[] = [
  ...[...RUNS, ...OPINIONS, ...REWINDS, ...HOLDS, ...ENDS],
  ...RETRIES,
  ...[...ERASURES, ...DOORS, ...SHARED, ...PAIRS],
  ...SESSIONS,
];
