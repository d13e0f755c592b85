/**
 * Compares the scripts of a verification with the model in random runs, which are sequences of steps. After every step, the test
 * checks the script's answer and the whole content of Redis. A failed test prints the seed, the shortest sequence that still
 * fails, and its steps.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { BestframeClient } from '../../../src/client/redis/client.ts';
import { createNames } from '../../../src/redis/names.ts';
import { inForm, SEED } from '../../support/forms.ts';
import { Model } from './model.ts';
import { type Chance, chance, SOBER, STEPS } from './steps.ts';
import { type Deployment, KEY_RING, WEBHOOK, World } from './world.ts';

/** The number of sequences in each of the four runs. */
const SEQUENCES = inForm({ short: 60, long: 360 });
const LEAST_STEPS = inForm({ short: 800, long: 5_000 });
/** How long to search for a shorter failing sequence. The runs themselves are limited only by the test's timeout. */
const SHRINKING_MS = 45_000;
const TEST_MS = 600_000;
/**
 * The number of steps after the end of a verification. Few are enough, because little can happen after the end, unless the
 * verification is retried.
 */
const TURNS_AFTER_END = 3;

const anyStep = fc.oneof(
  ...Object.entries(STEPS).map(([name, { weight }]) => ({ weight: weight * 100, arbitrary: fc.constant(name) })),
);
/**
 * Most steps are possible only after certain others. A turn therefore names six random steps, and the first possible one is
 * taken.
 */
const turn = fc.record({ names: fc.array(anyStep, { minLength: 6, maxLength: 6 }), chance }).map(inShort);
const turns = fc.noBias(fc.array(turn, { maxLength: 80, size: 'max' }));
const entriesBefore = fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(40), weight: 1 });

interface Turn {
  readonly names: readonly string[];
  readonly chance: Chance;
}

/** Returns the turn in a form that prints only its first step. The message of a failure lists all steps that were taken. */
function inShort(turn: Turn): Turn {
  return { ...turn, ...{ [fc.toStringMethod]: () => turn.names[0] } };
}

function does(name: string, more: Partial<Chance> = {}): Turn {
  return inShort({ names: [name], chance: { ...SOBER, ...more } });
}

/** Ends a verification as failed, and starts it again. */
const AGAIN = [does('settle', { anyway: true }), does('deliver'), does('retry')];
const UNKNOWN = [does('intent'), does('the call’s time passes'), does('unknown')];
/** Starts of a sequence. Random steps alone rarely reach the later states. */
const beginning = fc.constantFrom<readonly Turn[]>(
  [],
  [does('take'), ...UNKNOWN],
  [does('take'), ...UNKNOWN, ...UNKNOWN],
  [does('take'), does('intent'), does('handback', { rewind: true })],
  [does('take'), ...UNKNOWN, does('handback', { rewind: true }), does('take'), does('hold')],
  [does('take'), does('hold'), does('the deadline passes')],
  [...['take', 'mark alone', 'lapse', 'take', 'mark alone', 'lapse'].map((name) => does(name))],
  [does('take'), ...AGAIN, does('take'), ...AGAIN],
  [does('take'), ...UNKNOWN, ...AGAIN, does('take'), ...UNKNOWN, ...AGAIN],
  [does('take'), does('intent'), ...AGAIN, does('take')],
  [...['take', 'intent', 'cancel', 'handback', 'outcome', 'the deadline passes'].map((name) => does(name))],
);

const COMMON_ANSWERS = [
  'take: go',
  'take: held',
  'take: expired',
  'take: wait',
  'take: terminal',
  'intent: go',
  'intent: open',
  'intent: lost',
  'outcome: closed',
  'outcome: late',
  'outcome: again',
  'outcome again: again',
  'unknown: unknown',
  'unknown: open',
  'handback: ok, rewind',
  'handback: lost, rewind',
  'hold: ok',
  'settle: ok completed',
  'settle: ok failed',
  'cancel: cancelling',
  'resolve: retry ok',
  'retry: run',
  'retry: not_ended',
  'retry: cancelled',
  'retry: answered',
  'retry: ending',
  'retry: payments_used',
  'take: poison',
  'adopt: ok',
  'mark alone: ok',
];
/** Answers that few sequences reach, so only the long form is sure to. */
const RARE_ANSWERS = [
  'resolve: accept-late ok',
  'retry: sources_gone',
  'intent: decided',
  'settle: ok cancelled',
  'settle: lost',
  'take: hold_expired',
  'resolve: rewind pay_again',
  'resolve: recapture ok',
  'commit: lost',
  'intent: exhausted',
  'hold: lost',
  'outcome: committed',
];

const prefix = `{model-${process.pid}-${randomBytes(4).toString('hex')}}`;
let deployment: Deployment;
let sequences = 0;
/** How often each step got each answer. */
const met = new Map<string, number>();

beforeAll(async () => {
  const url = inject('redisUrl');
  const client = new BestframeClient({ redis: url, prefix, mode: 'test', keyRing: KEY_RING });
  deployment = { redis: new Redis(url), names: createNames(prefix), client };
  await client.webhooks.add({ name: WEBHOOK, url: 'https://shop.example/hooks' });
});
afterAll(async () => {
  const { redis, client } = deployment;
  await client.close();
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.del(...keys);
  redis.disconnect();
});

/** @returns the number of steps that were taken. */
async function live(past: number, webhook: boolean, all: readonly Turn[]): Promise<number> {
  sequences += 1;
  const model = new Model(past, webhook);
  const world = await World.claimed(deployment, `model-${sequences}`, past, webhook);
  const story: string[] = [];
  let after = 0;
  for (const { names, chance } of all) {
    const name = names.find((each) => STEPS[each]?.may(model, chance));
    const step = STEPS[name ?? ''];
    if (step === undefined) continue;
    after = model.ended || model.erased ? after + 1 : 0;
    if (after > TURNS_AFTER_END) break;
    story.push(`${name}${chance.twice ? ', twice' : ''}`);
    try {
      const answer = await step.act(model, chance, world);
      story.push(`${story.pop()}: ${answer}`);
      met.set(`${name}: ${answer}`, (met.get(`${name}: ${answer}`) ?? 0) + 1);
      await world.check(model);
    } catch (error) {
      throw new Error(`${story.join('\n')}\nby ${JSON.stringify(chance)}`, { cause: error });
    }
  }
  return story.length;
}

// The four runs are concurrent, because each waits for Redis most of the time.
it.concurrent.each([1, 2, 3, 4])(
  'the scripts answer and write as the model does (%i of 4)',
  async (turn) => {
    let steps = 0;
    const property = fc.asyncProperty(
      entriesBefore,
      fc.boolean(),
      beginning,
      turns,
      async (past, webhook, first, then) => {
        steps += await live(past, webhook, [...first, ...then]);
      },
    );
    const seed = SEED + turn;
    const { failed, counterexamplePath } = await fc.check(property, { seed, numRuns: SEQUENCES, endOnFailure: true });
    if (failed) {
      const again = { seed, numRuns: SEQUENCES, interruptAfterTimeLimit: SHRINKING_MS };
      await fc.assert(property, { ...again, ...(counterexamplePath === null ? {} : { path: counterexamplePath }) });
    }
    expect(steps).toBeGreaterThan(LEAST_STEPS);
  },
  TEST_MS,
);

it('the sequences reached every answer of interest', () => {
  const awaited = inForm({ short: COMMON_ANSWERS, long: [...COMMON_ANSWERS, ...RARE_ANSWERS] });
  expect([...met.keys()]).toEqual(expect.arrayContaining(awaited));
  const [rarest = ''] = awaited.toSorted((a, b) => (met.get(a) ?? 0) - (met.get(b) ?? 0));
  const steps = [...met.values()].reduce((sum, times) => sum + times, 0);
  console.info(`${steps} steps in ${sequences} sequences; rarest answer: ${rarest} (${met.get(rarest)} times)`);
});
