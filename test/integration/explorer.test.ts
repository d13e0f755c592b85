/**
 * Tests the scripts with a short run of the explorer: a bounded number of states of every scenario. `npm run explore` is the long
 * run. docs/decisions/explorer.md describes the explorer.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { commute, Explorer, type Found, prefixFor } from '../explorer/engine.ts';
import { PROTECTIONS } from '../explorer/protections.ts';
import { asTest, replay, scenarioNamed } from '../explorer/replay.ts';
import { explore } from '../explorer/run.ts';
import { SCENARIOS } from '../explorer/scenarios.ts';
import { inForm } from '../support/forms.ts';

/**
 * The number of states to visit in each scenario. The search is depth-first with a fixed order of steps, so every run visits the
 * same states.
 */
const MOST_STATES = 420;
const LEAST_STATES = 20_000;
/** The short form removes one protection of each promise, the long form every protection. */
const FIRST = PROTECTIONS.filter(
  ({ breaks }, index) => PROTECTIONS.findIndex((each) => each.breaks === breaks) === index,
);
const REMOVED = inForm({ short: FIRST, long: PROTECTIONS });
const REDUCED = inForm({
  short: ['an erasure of a held one', 'two verifications, one package'],
  long: ['two cancels', 'an erasure of a held one', 'two verifications, one package', 'a retry beside a zombie'],
});
/** The removal of a protection must be detected within this many states. */
const MOST_UNTIL_FOUND = 6_000;
/** On a busy machine a scenario takes much longer than the usual one or two seconds. */
const MOST_MS = 180_000;

let redis: Redis;
let states = 0;

beforeAll(() => {
  redis = new Redis(inject('redisUrl'));
});
afterAll(() => redis.disconnect());

const protectionOf = (name: string) => {
  const protection = PROTECTIONS.find((each) => each.name === name);
  if (protection === undefined) throw new Error(`no protection is named “${name}”`);
  return protection;
};

describe('every promise holds in every interleaving', () => {
  it.concurrent.each(SCENARIOS)(
    '$name',
    async (scenario) => {
      const report = await explore(scenario, { redis, most: MOST_STATES });
      expect(report.found === null ? null : asTest(scenario.name, report.found)).toBeNull();
      states += report.states;
    },
    MOST_MS,
  );

  it('the scenarios have enough states', () => {
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
    expect(states).toBeGreaterThanOrEqual(LEAST_STATES);
  });
});

describe('the removal of a protection is detected', () => {
  it.concurrent.each(REMOVED)(
    '$name ($breaks)',
    async ({ scenario, changes, breaks }) => {
      const most = MOST_UNTIL_FOUND;
      const { found } = await explore(scenarioNamed(scenario), { redis, most, changes, shortest: true });
      expect(found?.violation.invariant).toBe(breaks);
    },
    MOST_MS,
  );

  it('a change whose text occurs in no script is refused', async () => {
    const changes = [{ find: 'no script says this', put: '' }];
    const explored = explore(scenarioNamed('two cancels'), { redis, most: 1, changes });
    await expect(explored).rejects.toThrow('no script contains "no script says this": update the protection');
  });
});

describe('a broken promise', () => {
  const { scenario, changes } = protectionOf('the first decision wins');

  it('is printed as a test, with the shortest schedule', async () => {
    const { found } = await explore(scenarioNamed('a cancel beside a zombie'), {
      redis,
      most: MOST_UNTIL_FOUND,
      changes: protectionOf('a cancel with fresh follow-ups').changes,
    });
    expect(asTest('a cancel beside a zombie', found as Found)).toBe(
      [
        "it('I14: a: a stale worker may upload generation 0, and nobody will look again', async () => {",
        "  await replay(redis, 'a cancel beside a zombie', [",
        "    'w1 takes the job',",
        "    'canceller reads the record',",
        "    'w1 begins',",
        "    'time passes: lease',",
        "    'canceller cancels',",
        '  ]);',
        '});',
      ].join('\n'),
    );
  });

  it('is broken again by the schedule that was printed', async () => {
    const { found } = await explore(scenarioNamed(scenario), { redis, most: MOST_UNTIL_FOUND, changes });
    const again = replay(redis, scenario, found?.steps ?? [], changes);
    await expect(again).rejects.toThrow(/^I3: a: the decision was “match 90 .*, and is now “match 91/);
    await replay(redis, scenario, found?.steps ?? []);
  });

  it('is found at the end too: after all actors have finished, the explorer checks that the verification still ends', async () => {
    const { changes } = protectionOf('waiting for an open call only until its deadline');
    const schedule = ['takes the job', 'begins', 'uploads', 'commits the upload', 'declares a call'];
    const again = replay(
      redis,
      'every answer is lost',
      schedule.map((step) => `w1 ${step}`),
      changes,
    );
    await expect(again).rejects.toThrow(/never ends$/);
  });

  it('cannot be replayed with a step that is not possible', async () => {
    const again = replay(redis, 'two cancels', ['w1 takes the job', 'w1 settles']);
    await expect(again).rejects.toThrow('step 2, “w1 settles”, is not possible: choose one of “w1 begins”,');
  });
});

describe('the reduction', () => {
  it.concurrent.each(REDUCED)(
    'visits every state of: %s',
    async (name) => {
      const visit = async (reduce: boolean) => {
        const options = { redis, prefix: prefixFor(`${process.pid}-${reduce}`, name), reduce };
        const explorer = await Explorer.open(scenarioNamed(name), options);
        const { complete, transitions } = await explorer.explore(options);
        await explorer.end();
        expect(complete).toBe(true);
        return { states: [...explorer.states].map((hash) => hash).sort(), transitions };
      };
      const [less, all] = [await visit(true), await visit(false)];
      expect(less.states).toHaveLength(all.states.length);
      expect(less.transitions).toBeLessThan(all.transitions);
    },
    MOST_MS,
  );

  it('lets two steps commute only if no actor, key or clock connects them', () => {
    const plain = { actor: 'w1', touches: new Set(['a']), readsClock: false, movesClock: false };
    const other = { ...plain, actor: 'w2', touches: new Set(['b']) };
    const clock = { ...plain, actor: 'time', touches: new Set<string>(), movesClock: true };
    expect(commute(plain, other)).toBe(true);
    expect(commute(plain, { ...other, actor: 'w1' })).toBe(false);
    expect(commute(plain, { ...other, touches: new Set(['b', 'a']) })).toBe(false);
    expect(commute({ ...plain, readsClock: true }, other)).toBe(true);
    expect(commute(clock, plain)).toBe(true);
    expect(commute(clock, { ...plain, readsClock: true })).toBe(false);
    expect(commute({ ...clock, actor: 'time of b' }, clock)).toBe(false);
  });
});

describe('what the explorer found', () => {
  it('an erasure keeps its outbox entry while the entry of the end is removed', async () => {
    await replay(redis, 'an erasure beside a run', [
      'w1 takes the job',
      'w1 begins',
      'w1 uploads',
      'w1 commits the upload',
      'w1 declares a call',
      'w1 calls, or finds that it may not',
      'vendor bills and answers w1-1',
      'w1 records match',
      'w1 adds the follow-ups',
      'w1 removes the outbox entry',
      'w1 settles',
      'w1 adds the follow-ups',
      'eraser erases the record',
      'w1 removes the outbox entry',
    ]);
  });

  it('a cancel deletes the objects of a run that began after it had read the record', async () => {
    await replay(redis, 'a cancel beside a zombie', [
      'w1 takes the job',
      'canceller reads the record',
      'w1 begins',
      'w1 uploads',
      'w1 commits the upload',
      'time passes: lease',
      'canceller cancels',
    ]);
  });

  it('the sweeper keeps a verification in the index that was retried after it had ended', async () => {
    await replay(redis, 'a retry beside the sweeper', [
      'w1 takes the job',
      'w1 begins',
      'w1 fails to upload: fail',
      'index sweeper finds it in the index',
      'w1 settles',
      'w1 moves the job',
      'index sweeper reads the record',
      'retrier retries',
      'retrier adds the job again',
    ]);
  });
});
