/**
 * The scripts of a verification against the model of it, over random sequences of steps: every answer, and all that is left
 * in Redis after every step. A failure prints its seed, the shortest sequence that still fails, and what was done in it.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { BestframeClient } from '../../../src/client/client.ts';
import { createNames } from '../../../src/queue/names.ts';
import { Model } from './model.ts';
import { type Chance, chance, SOBER, STEPS } from './steps.ts';
import { type Deployment, WEBHOOK, World } from './world.ts';

/** Of each of four. */
const SEQUENCES = 210;
const LEAST_STEPS = 2_500;
/** Before the test’s own time is up: what was found by then is told. */
const SHRINKING_ENDS_MS = 45_000;
/** What has ended is of less interest. */
const TURNS_AFTER_END = 3;

const anyStep = fc.oneof(
  ...Object.entries(STEPS).map(([name, { weight }]) => ({ weight: weight * 100, arbitrary: fc.constant(name) })),
);
/** Of several steps the first that can be: most need something that came before. */
const turn = fc.record({ names: fc.array(anyStep, { minLength: 6, maxLength: 6 }), chance }).map(inShort);
const turns = fc.noBias(fc.array(turn, { maxLength: 80, size: 'max' }));
const entriesBefore = fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(40), weight: 1 });

interface Turn {
  readonly names: readonly string[];
  readonly chance: Chance;
}

/** What was done of it is in the story that a failure tells. */
function inShort(turn: Turn): Turn {
  return { ...turn, ...{ [fc.toStringMethod]: () => turn.names[0] } };
}

function does(name: string, more: Partial<Chance> = {}): Turn {
  return inShort({ names: [name], chance: { ...SOBER, ...more } });
}

const UNKNOWN = [does('intent'), does('the call’s time passes'), does('unknown')];
/** Where it begins: chance alone seldom comes far. */
const beginning = fc.constantFrom<readonly Turn[]>(
  [],
  [does('take'), ...UNKNOWN],
  [does('take'), ...UNKNOWN, ...UNKNOWN],
  [does('take'), does('intent'), does('handback', { rewind: true })],
  [does('take'), ...UNKNOWN, does('handback', { rewind: true }), does('take'), does('hold')],
  [does('take'), does('hold'), does('the deadline passes')],
  [...['take', 'intent', 'cancel', 'handback', 'outcome', 'the deadline passes'].map((name) => does(name))],
);

const WORTH_MEETING = [
  ...['take: go', 'take: held', 'take: unheld', 'take: expired', 'take: wait', 'take: terminal'],
  ...['intent: go', 'intent: open', 'intent: decided', 'intent: exhausted', 'intent: lost', 'commit: lost'],
  ...['outcome: committed', 'outcome: closed', 'outcome: late', 'outcome: again', 'outcome again: again'],
  ...['unknown: unknown', 'unknown: open', 'handback: ok, rewind', 'handback: lost, rewind', 'hold: ok', 'hold: lost'],
  ...['settle: ok completed', 'settle: ok failed', 'settle: ok cancelled', 'settle: lost null', 'cancel: cancelling'],
  ...['resolve: retry ok', 'resolve: rewind pay again', 'resolve: recapture ok', 'resolve: accept-late ok'],
];

const prefix = `{model-${process.pid}-${randomBytes(4).toString('hex')}}`;
let deployment: Deployment;
let sequences = 0;
/** How often each step had each answer. */
const met = new Map<string, number>();

beforeAll(async () => {
  const url = inject('redisUrl');
  const client = new BestframeClient({ redis: url, prefix, mode: 'test' });
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

/** @returns how many steps were taken. */
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
    if (model.ended || model.erased) after += 1;
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

// Side by side, since each waits for Redis most of the time.
it.concurrent.each([1, 2, 3, 4])('the scripts do what the model does (%i of 4)', async () => {
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
  await fc.assert(property, { numRuns: SEQUENCES, interruptAfterTimeLimit: SHRINKING_ENDS_MS });
  expect(steps).toBeGreaterThan(LEAST_STEPS);
});

it('the sequences met what is worth meeting', () => {
  expect([...met.keys()]).toEqual(expect.arrayContaining(WORTH_MEETING));
  console.info(`${[...met.values()].reduce((sum, times) => sum + times, 0)} steps in ${sequences} sequences`);
});
