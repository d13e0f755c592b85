/**
 * Tests of the oracle. Each entry removes one protection of the product, in the worker processes of this kit only,
 * runs a fault, and names the invariant that must break. If a `find` text no longer occurs in the product, the worker
 * does not start: update the entry instead of removing it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { Fault } from './fault.ts';
import { badSpool, slowHost } from './faults/neighbours.ts';
import { busy } from './faults/redis.ts';
import { account, forged } from './faults/vendor.ts';
import { poison, untilHookActed } from './faults/workers.ts';
import { type Change, LUA_FILE } from './fleet.ts';
import type { Invariant } from './invariants.ts';
import { Random } from './random.ts';
import type { ChaosWorld, RequestChoices } from './world.ts';

export interface Protection {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly breaks: Invariant;
  readonly exposedBy: Fault;
}

const OWN_BUCKET: RequestChoices = { upload: 'own-bucket', card: { card: 'match' } };
/** Without the protection some verifications never end, so the runs stop waiting early. */
const SOON = { settleMs: 8_000 };

/** Creates a fault for these checks. */
function scenario(name: string, summary: string, run: Fault['run'], settleMs = SOON.settleMs): Fault {
  return { name, summary, world: () => ({ settleMs }), run };
}

function stoppedAt(at: string, leases: number): Fault {
  return scenario('stopped', `SIGSTOP at ${at}, while another worker goes on`, async (world) => {
    // The delay of the victim's two uploads is long enough for a renewal of its lease. The fault applies to two uploads only, so
    // the uploads of the other worker are not delayed.
    await world.control.fault({ kind: 'delay', service: 'cos', action: 'PutObject', ms: 600, times: 2 });
    const victim = await world.fleet.start([{ at, act: 'stop' }]);
    await world.produce(1, OWN_BUCKET);
    await untilHookActed(world, victim);
    await world.fleet.start();
    // Redis offers new work to the worker that has waited longest, here the stopped one.
    // A second job makes sure that the other worker wakes up too.
    await world.produce(1, OWN_BUCKET);
    await sleep(world.leaseMs * leases); // the worker stays stopped
    victim.kill('SIGCONT');
  });
}

/** Stops the only worker, and lets it continue before its connections time out. */
function stoppedAlone(at: string, leases: number): Fault {
  return scenario('stopped alone', `SIGSTOP at ${at}`, async (world) => {
    const victim = await world.fleet.start([{ at, act: 'stop' }]);
    await world.produce(1, OWN_BUCKET);
    await untilHookActed(world, victim);
    await sleep(world.leaseMs * leases); // the worker stays stopped
    victim.kill('SIGCONT');
  });
}

function killedAt(at: string, settleMs?: number): Fault {
  return scenario(
    'killed',
    `SIGKILL at ${at}, then another worker starts`,
    async (world) => {
      const victim = await world.fleet.start([{ at, act: 'kill' }]);
      await world.produce(1, OWN_BUCKET);
      await victim.exited;
      await world.fleet.start();
    },
    settleMs,
  );
}

const retried = scenario('retried', 'a finished job is retried from a dashboard', async (world) => {
  await world.fleet.start();
  const [accepted] = await world.produce(1, OWN_BUCKET);
  await world.untilSettled();
  await pressRetry(world, accepted?.id ?? '');
});

async function pressRetry(world: ChaosWorld, id: string): Promise<void> {
  const redis = new Redis(world.redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('verify-ap-singapore', { connection: redis, prefix: world.config.prefix });
  try {
    const job = await queue.getJob(id);
    await job?.retry('completed');
    const executed = world.witness.executed.length;
    while (!world.witness.executed.slice(executed).some(({ script }) => script === 'begin-attempt')) await sleep(20);
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

const crowd = scenario('crowd', 'more verifications at once than slots', async (world) => {
  await world.control.settings({ qps: { DetectReflectLivenessAndCompare: 10 } });
  await world.fleet.start();
  await world.produce(40, OWN_BUCKET);
});

const erasedByCommand = scenario('erased', 'a finished verification is erased', async (world) => {
  await world.fleet.start();
  const [accepted] = await world.produce(1, OWN_BUCKET);
  await world.untilSettled();
  const id = accepted?.id ?? '';
  await world.fleet.command('erase', id, '--why', 'asked for', '--yes', '--wait', '0');
  world.markErased(id);
});

const twiceByCommand = scenario('twice', 'one key is enqueued twice', async (world) => {
  const { request, facts } = await world.request(OWN_BUCKET);
  const { liveData, image } = request.resources;
  if (liveData?.from !== 'file' || image?.from !== 'file') throw new Error('inputs of this kit are files');
  const args = ['--key', request.key, '--live-data', liveData.path, '--image', image.path, '--upload', 'own-bucket'];
  for (const status of ['new', 'same'] as const) {
    await world.fleet.command('enqueue', ...args);
    world.recordAccepted({ ...facts, hasWebhook: false, id: world.client.idOf(request.key), status, at: Date.now() });
  }
  await world.fleet.start();
});

const cosDown = scenario('COS down', 'COS fails every upload for longer than all attempts take', async (world) => {
  await world.fleet.start();
  await world.control.fault({
    kind: 'error',
    service: 'cos',
    action: 'PutObject',
    code: 'ServiceUnavailable',
    times: null,
  });
  await world.produce(4, OWN_BUCKET);
  await sleep(8_000); // the outage itself
  await world.control.clearFaults();
});

const plain = scenario('plain', 'no fault', async (world) => {
  await world.fleet.start();
  await world.produce(2, OWN_BUCKET);
});

/** Changes the text of one script, or of a part that several scripts include. */
const lua = (find: string, put: string): Change => ({ file: LUA_FILE, find, put });
const code = (file: string, find: string, put: string): Change => ({ file, find, put });

export const PROTECTIONS: readonly Protection[] = [
  {
    name: 'recovering stalled jobs',
    changes: [
      code('pipeline/verify-worker.js', 'stalledInterval: options.stalledIntervalMs', 'stalledInterval: 600_000'),
    ],
    breaks: 'I1',
    exposedBy: killedAt('stage:upload:begin'),
  },
  {
    name: 'the intent',
    changes: [lua("'open', cjson.encode", "'closed', cjson.encode")],
    breaks: 'I2',
    exposedBy: killedAt('edge:faceId.detect:after'),
  },
  {
    name: 'the check for a terminal state',
    changes: [lua('if isTerminal(state) then\n  verdict', 'if false then\n  verdict')],
    breaks: 'I3',
    exposedBy: retried,
  },
  {
    name: 'the fence',
    changes: [lua("return redis.call('GET', lockKey)", "return true or redis.call('GET', lockKey)")],
    breaks: 'I4',
    exposedBy: stoppedAt('script:renew-lease:before', 3),
  },
  {
    name: 'checking the lease and the clock between intent and call',
    changes: [
      // An attempt that has lost its lease stops waiting for its slot and opens no connection. These changes let the
      // attempt continue.
      code(
        'pipeline/payment.js',
        'waitForSlot(open.slot, payment.signal)',
        'waitForSlot(open.slot, new AbortController().signal)',
      ),
      code('pipeline/payment.js', 'call(turn, payment.signal)', 'call(turn, new AbortController().signal)'),
      code('pipeline/payment.js', 'payment.lease.check();', ''),
      code(
        'pipeline/payment.js',
        'limit.abort(timedOut()), payment.gate.clock.until(open.until)',
        'limit.abort(timedOut()), 60_000',
      ),
      code('pipeline/gate.js', 'missed: () => this.clock', 'missed: () => false && this.clock'),
    ],
    breaks: 'I5',
    exposedBy: stoppedAlone('script:declare-intent:after', 2.5),
  },
  {
    name: 'recovering stalled jobs in time',
    changes: [
      code('pipeline/verify-worker.js', 'stalledInterval: options.stalledIntervalMs', 'stalledInterval: 600_000'),
    ],
    breaks: 'I6',
    exposedBy: killedAt('stage:upload:begin', 20_000),
  },
  {
    name: 'probing a closed gate',
    changes: [lua('local left = tonumber(gate.nextProbe) - now', 'do return 1000 end')],
    breaks: 'I7',
    exposedBy: { ...account, world: () => SOON },
  },
  {
    name: 'the MD5 check of the frame',
    changes: [code('adapters/storage/frame-store.js', 'expectedMd5 === null || expectedMd5 === md5', 'true')],
    breaks: 'I8',
    exposedBy: { ...forged, world: () => SOON },
  },
  {
    name: 'checking for an existing verification when claiming',
    changes: [lua('if known then', 'if false then')],
    breaks: 'I9',
    exposedBy: twiceByCommand,
  },
  {
    name: 'the rate limit',
    changes: [code('pipeline/gate.js', 'HEADROOM = 1.08', 'HEADROOM = 0.1')],
    breaks: 'I10',
    exposedBy: crowd,
  },
  {
    name: 'the crash budget',
    changes: [lua('>= tonumber(crashBudget)', '>= 1000')],
    breaks: 'I11',
    exposedBy: { ...poison, world: () => ({ settleMs: 25_000 }) },
  },
  {
    name: 'deleting the journal on erasure',
    changes: [lua("redis.call('DEL', journalKey, historyKey, keptKey, toCopyKey)", '')],
    breaks: 'I12',
    exposedBy: erasedByCommand,
  },
  {
    name: 'removing ended verifications from the index',
    changes: [lua('leaveIndex(keys.live, tenant, id)', '')],
    breaks: 'I13',
    exposedBy: plain,
  },
  {
    name: 'the deletion that an end promises',
    changes: [lua("if deletion ~= '' then", 'if false then')],
    breaks: 'I14',
    exposedBy: plain,
  },
  {
    name: 'the outbox and its retry',
    changes: [
      lua("if outboxEntry ~= '' then redis.call('HSET', keys.outbox", "if false then redis.call('HSET', keys.outbox"),
      code('pipeline/attempt.js', 'return this.#ends.repeatFollowUps();', 'return { kind: "lost" };'),
    ],
    breaks: 'I14',
    exposedBy: killedAt('script:settle:after'),
  },
  {
    name: 'the breakers',
    changes: [code('domain/operations/breakers.js', 'return dependency !== undefined && (', 'return false && (')],
    breaks: 'I15',
    exposedBy: cosDown,
  },
  {
    name: 'the shares of slow sources',
    changes: [
      code(
        'pipeline/source-shares.js',
        'return this.#total < this.#overall',
        'return true || this.#total < this.#overall',
      ),
    ],
    breaks: 'I16',
    exposedBy: { ...slowHost, world: () => ({ ...slowHost.world?.(new Random(0)), ...SOON }) },
  },
  {
    name: 'suspecting the machine',
    changes: [
      code('pipeline/after-failure.js', 'await this.#tools.machine.blame(failure)', 'null'),
      code('pipeline/machine.js', 'this.#fault = found;', ''),
    ],
    breaks: 'I16',
    exposedBy: badSpool,
  },
  {
    name: 'telling a busy Redis again',
    changes: [code('redis/connection.js', "[/\\bBUSY\\b/, 'later'],", '')],
    breaks: 'I2',
    exposedBy: busy,
  },
  {
    name: 'booking a call before it is made',
    changes: [lua('book(ledger, { maybe = 1 })\nif showPeriods', 'if showPeriods')],
    breaks: 'I17',
    exposedBy: plain,
  },
];
