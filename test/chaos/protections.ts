/**
 * Checks that can fail: each protection of the product, how it is taken away (in worker processes of this kit alone), what
 * is then done, and which invariant must be seen to break. Where a text is no longer found in the product, the worker
 * does not start: the switch is to be mended, not left out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Fault } from './fault.ts';
import { account, forged } from './faults/vendor.ts';
import { met, poison } from './faults/workers.ts';
import type { Change } from './fleet.ts';
import type { Invariant } from './invariants.ts';
import type { ChaosWorld, Wanted } from './world.ts';

export interface Protection {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly breaks: Invariant;
  readonly shownBy: Fault;
}

const OWN: Wanted = { upload: 'own-bucket', card: { card: 'match' } };
/** Without the protection some things never end. */
const SOON = { settleMs: 8_000 };

/** One worker meets its fault at a point; another one goes on. */
function shown(name: string, what: string, run: Fault['run'], settleMs = SOON.settleMs): Fault {
  return { name, what, world: () => ({ settleMs }), run };
}

function stoppedAt(at: string, leases: number): Fault {
  return shown('stopped', `SIGSTOP at ${at}, while another worker goes on`, async (world) => {
    // Long enough for a renewal; the other worker's go as fast as they can.
    await world.control.fault({ kind: 'delay', service: 'cos', action: 'PutObject', ms: 600, times: 2 });
    const victim = await world.fleet.start([{ at, act: 'stop' }]);
    await world.produce(1, OWN);
    await met(world, victim);
    await world.fleet.start();
    // Redis tells the worker that has waited longest of new work; that one is stopped, and would keep it to itself.
    await world.produce(1, OWN);
    await sleep(world.leaseMs * leases); // the fault itself
    victim.kill('SIGCONT');
  });
}

/** By itself, and for no longer than a connection lives. */
function stoppedAlone(at: string, leases: number): Fault {
  return shown('stopped alone', `SIGSTOP at ${at}`, async (world) => {
    const victim = await world.fleet.start([{ at, act: 'stop' }]);
    await world.produce(1, OWN);
    await met(world, victim);
    await sleep(world.leaseMs * leases); // the fault itself
    victim.kill('SIGCONT');
  });
}

function killedAt(at: string, settleMs?: number): Fault {
  return shown(
    'killed',
    `SIGKILL at ${at}, and another worker`,
    async (world) => {
      const victim = await world.fleet.start([{ at, act: 'kill' }]);
      await world.produce(1, OWN);
      await victim.exited;
      await world.fleet.start();
    },
    settleMs,
  );
}

const retried = shown('retried', 'a job that has ended is retried by hand', async (world) => {
  await world.fleet.start();
  const [accepted] = await world.produce(1, OWN);
  await world.settled();
  await pressRetry(world, accepted?.id ?? '');
});

async function pressRetry(world: ChaosWorld, id: string): Promise<void> {
  const redis = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('verify-ap-singapore', { connection: redis, prefix: world.config.prefix });
  try {
    const job = await queue.getJob(id);
    await job?.retry('completed');
    const seen = world.witness.seen.length;
    while (!world.witness.seen.slice(seen).some(({ script }) => script === 'begin')) await sleep(20);
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

const crowd = shown('crowd', 'as many at once as there are slots', async (world) => {
  await world.control.settings({ qps: { DetectReflectLivenessAndCompare: 10 } });
  await world.fleet.start();
  await world.produce(40, OWN);
});

const erasedByCommand = shown('erased', 'a verification that has ended is erased', async (world) => {
  await world.fleet.start();
  const [accepted] = await world.produce(1, OWN);
  await world.settled();
  const id = accepted?.id ?? '';
  await world.fleet.command('erase', id, '--why', 'asked for', '--yes', '--wait', '0');
  world.erased(id);
});

const twiceByCommand = shown('twice', 'one key is enqueued twice', async (world) => {
  const { request, facts } = await world.request(OWN);
  const { liveData, image } = request.resources;
  if (liveData?.from !== 'file' || image?.from !== 'file') throw new Error('inputs of this kit are files');
  const args = ['--key', request.key, '--live-data', liveData.path, '--image', image.path, '--upload', 'own-bucket'];
  for (const status of ['new', 'same'] as const) {
    await world.fleet.command('enqueue', ...args);
    world.acknowledged({ ...facts, told: false, id: world.client.idOf(request.key), status, at: Date.now() });
  }
  await world.fleet.start();
});

const plain = shown('plain', 'nothing at all', async (world) => {
  await world.fleet.start();
  await world.produce(2, OWN);
});

const lua = (file: string, find: string, put: string): Change => ({ file: `lua/${file}`, find, put });
const code = (file: string, find: string, put: string): Change => ({ file, find, put });

export const PROTECTIONS: readonly Protection[] = [
  {
    name: 'stalled jobs are looked for',
    changes: [
      code('runtime/verify-worker.js', 'stalledInterval: options.stalledIntervalMs', 'stalledInterval: 600_000'),
    ],
    breaks: 'I1',
    shownBy: killedAt('stage:upload:begin'),
  },
  {
    name: 'the intent',
    changes: [lua('intent.lua', "'open', cjson.encode", "'closed', cjson.encode")],
    breaks: 'I2',
    shownBy: killedAt('edge:faceId.detect:after'),
  },
  {
    name: 'the preamble',
    changes: [lua('begin.lua', 'if isTerminal(state) then', 'if false then')],
    breaks: 'I3',
    shownBy: retried,
  },
  {
    name: 'the fence',
    changes: [lua('parts/fence.lua', 'return redis.call', 'return true or redis.call')],
    breaks: 'I4',
    shownBy: stoppedAt('script:renew:before', 3),
  },
  {
    name: 'looks at lease and clock between intent and call',
    changes: [
      // Whoever has lost its lease waits for no slot, and opens no connection.
      code('runtime/pay.js', 'reach(open.slot, payment.signal)', 'reach(open.slot, new AbortController().signal)'),
      code('runtime/pay.js', 'call(turn, payment.signal)', 'call(turn, new AbortController().signal)'),
      code('runtime/pay.js', 'payment.lease.check();', ''),
      code(
        'runtime/pay.js',
        'limit.abort(timedOut()), payment.gate.clock.until(open.until)',
        'limit.abort(timedOut()), 60_000',
      ),
      code('runtime/gate.js', 'missed: () => this.clock', 'missed: () => false && this.clock'),
    ],
    breaks: 'I5',
    shownBy: stoppedAlone('script:intent:after', 2.5),
  },
  {
    name: 'stalled jobs are looked for in time',
    changes: [
      code('runtime/verify-worker.js', 'stalledInterval: options.stalledIntervalMs', 'stalledInterval: 600_000'),
    ],
    breaks: 'I6',
    shownBy: killedAt('stage:upload:begin', 20_000),
  },
  {
    name: 'an answer opens the gate',
    changes: [lua('heal.lua', "if gate[1] ~= 'closed' or", 'if true or')],
    breaks: 'I7',
    shownBy: { ...account, world: () => SOON },
  },
  {
    name: 'the MD5 of the frame',
    changes: [code('storage/shelf.js', 'expected === null || expected === md5', 'true')],
    breaks: 'I8',
    shownBy: { ...forged, world: () => SOON },
  },
  {
    name: 'a claim looks what is there',
    changes: [lua('claim.lua', 'if found[1] then', 'if false then')],
    breaks: 'I9',
    shownBy: twiceByCommand,
  },
  {
    name: 'the rate',
    changes: [code('runtime/gate.js', 'HEADROOM = 1.08', 'HEADROOM = 0.1')],
    breaks: 'I10',
    shownBy: crowd,
  },
  {
    name: 'the crash budget',
    changes: [lua('begin.lua', '>= tonumber(ARGV[5])', '>= 1000')],
    breaks: 'I11',
    shownBy: { ...poison, world: () => ({ settleMs: 25_000 }) },
  },
  {
    name: 'erasing takes the journal',
    changes: [lua('erase.lua', "redis.call('DEL', KEYS[1], KEYS[3])", '')],
    breaks: 'I12',
    shownBy: erasedByCommand,
  },
  {
    name: 'what has ended leaves the index',
    changes: [lua('parts/finish.lua', "redis.call('ZREM', keys.live, id)", '')],
    breaks: 'I13',
    shownBy: plain,
  },
  {
    name: 'the outbox, and its repetition',
    changes: [
      lua('parts/finish.lua', "if outboxEntry ~= '' then", 'if false then'),
      code('runtime/attempt.js', 'return this.#repeatFollowUps();', 'return { kind: "lost" };'),
    ],
    breaks: 'I14',
    shownBy: killedAt('script:settle:after'),
  },
];
