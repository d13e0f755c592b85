/**
 * One simulated day: the whole deployment in one process, in virtual time.
 *
 * What must hold: the log depends on the options alone, byte for byte.
 */
import { createHash } from 'node:crypto';
import { readConfig } from '../../src/app/config.ts';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { createDeployment } from '../../src/redis/deployment.ts';
import { readViews } from '../../src/redis/read-view.ts';
import { Random } from '../chaos/random.ts';
import type { TextChange } from '../explorer/snapshot.ts';
import { type Counts, type Faults, startFaults } from './faults.ts';
import { planLoad, type Sent, startBackend, untilReached } from './load.ts';
import { Network } from './network.ts';
import { type Found, judgeDay } from './oracle.ts';
import { openClient, run, type World } from './processes.ts';
import { Blocked, SimulatedRedis, type Wire } from './redis-client.ts';
import { Store } from './store.ts';
import { OWN_BUCKET, REGION, Vendor } from './vendor.ts';
import { DAY_STARTS, newOwner, type Owner, VirtualTime } from './virtual-time.ts';

export interface Options {
  readonly seed: number;
  readonly verifications: number;
  readonly hours: number;
  /** How much goes wrong: 1 is a bad day, 0 nothing. */
  readonly faults: number;
  /** The server: a port on this machine, or the path of a Unix socket, which is faster. */
  readonly redis: number | string;
  /** Begins the names of all keys, so that simulations may share a Redis. It is not in the log. */
  readonly prefix: string;
  /** Changes of the scripts, which remove a protection. */
  readonly changes?: readonly TextChange[];
  /** Receives the log, line by line. */
  readonly onLine?: (line: string) => void;
  readonly onProgress?: (progress: {
    readonly hour: number;
    readonly accepted: number;
    readonly events: number;
  }) => void;
}

export interface Report {
  readonly seed: number;
  readonly accepted: number;
  readonly refused: Counts;
  /** Verifications by state, and by code if they failed. */
  readonly ends: Counts;
  readonly faults: Counts;
  readonly billed: number;
  readonly ledger: { readonly paidCalls: number; readonly possiblyPaidCalls: number };
  readonly settled: boolean;
  readonly violations: readonly Found[];
  readonly logLines: number;
  readonly logSha256: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly commands: number;
  /** Duration on this machine. */
  readonly ms: number;
}

const QPS = { DetectReflectLivenessAndCompare: 5, CreateUploadUrl: 20 };
const LOSSES = { refused: 0.002, lostRequest: 0.002, lostReply: 0.004, lateReply: 0.003 };
/** After the day, the last work must end within this time. */
const AFTERWARDS_MS = 3_600_000;
const LOOK_EVERY_MS = 30_000;
/** Begins whatever must not be in a log line of the product. */
const CANARY = 'canary';

export async function simulate(options: Options): Promise<Report> {
  const { seed, verifications, hours, faults: share, redis, prefix, changes = [] } = options;
  const startedAt = performance.now();
  const stream = (name: string) => new Random(createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE(0));
  const time = new VirtualTime(stream('product'));
  const store = await Store.open(redis, time, prefix, changes);
  const log = new Log(time, prefix, options.onLine);
  const network = new Network(time, stream('network'));
  const failures: unknown[] = [];
  const wire: Wire = {
    ...{ time, store, network, blocked: new Blocked(time, store) },
    log: (owner, line) => log.add(owner, line),
    fail: (error) => failures.push(error),
  };
  const config = configOf(prefix);
  const world: World = {
    ...{ wire, config, time, network, delivered: new Set() },
    vendor: new Vendor(time, stream('vendor'), QPS),
    ...{ inputs: new Map(), stalledHosts: new Set(), frames: new Map() },
    losses: share === 0 ? { refused: 0, lostRequest: 0, lostReply: 0, lateReply: 0 } : LOSSES,
  };
  const plan = planLoad(world, stream('load'), verifications, hours);
  time.install();
  try {
    const sent = startBackend(world, plan);
    const faults = startFaults(world, stream('faults'), hours, share);
    const endsAt = DAY_STARTS + hours * 3_600_000;
    const day = watch(world, sent, endsAt, options.onProgress);
    await time.run(() => day.over || failures.length > 0);
    if (failures[0] !== undefined) throw failures[0];
    const audit = startAudit(world, sent);
    await time.run(() => audit.done || failures.length > 0);
    if (failures[0] !== undefined) throw failures[0];
    time.uninstall();
    return await reportOf(options, world, { sent, faults, audit, log, settled: day.settled }, startedAt);
  } finally {
    time.uninstall();
    await store.close();
  }
}

function configOf(prefix: string) {
  return readConfig({
    BESTFRAME_MODE: 'test',
    BESTFRAME_REDIS_URL: 'redis://127.0.0.1:1',
    BESTFRAME_PREFIX: prefix,
    BESTFRAME_REGIONS: REGION,
    BESTFRAME_BUCKETS: `${REGION}=${OWN_BUCKET}`,
    BESTFRAME_FRAMES_DIR: '/frames',
    BESTFRAME_SLOTS: '12',
    // Twice the default: an idle worker looks for stalled jobs half as often, which is most of what it does.
    BESTFRAME_LEASE_MS: '16000',
    TENCENTCLOUD_SECRET_ID: 'simulated',
    TENCENTCLOUD_SECRET_KEY: 'simulated',
  });
}

const HASHED_AT_ONCE = 65_536;

/** The log: every command that reached Redis, every line of the product, every fault. */
class Log {
  lines = 0;
  canaries = '';
  readonly #time: VirtualTime;
  readonly #prefix: string;
  readonly #hash = createHash('sha256');
  #unhashed = '';
  readonly #onLine: ((line: string) => void) | undefined;

  constructor(time: VirtualTime, prefix: string, onLine: ((line: string) => void) | undefined) {
    this.#time = time;
    this.#prefix = prefix;
    this.#onLine = onLine;
  }

  add(owner: Owner | null, text: string): void {
    const at = (this.#time.now - DAY_STARTS).toFixed(3);
    const line = `${at} ${owner?.name ?? 'world'} ${text.replaceAll(this.#prefix, '{}')}`;
    this.lines += 1;
    this.#unhashed += `${line}\n`;
    if (this.#unhashed.length > HASHED_AT_ONCE) this.#hashAll();
    if (!text.startsWith('redis ') && line.includes(CANARY)) this.canaries += `${line}\n`;
    this.#onLine?.(line);
  }

  #hashAll(): void {
    this.#hash.update(this.#unhashed);
    this.#unhashed = '';
  }

  get sha256(): string {
    this.#hashAll();
    return this.#hash.copy().digest('hex');
  }
}

interface Day {
  over: boolean;
  settled: boolean;
}

/** Looks every half minute whether everything has ended. */
function watch({ wire, time, config }: World, sent: Sent, endsAt: number, onProgress: Options['onProgress']): Day {
  const day: Day = { over: false, settled: false };
  const { prefix } = config;
  const queue = `${prefix}:verify-${REGION}`;
  const sizes = [
    ...['HLEN', `${prefix}:outbox`, 'ZCARD', `${prefix}:live`, 'ZCARD', `${prefix}:held`],
    ...['ZCARD', `${prefix}:deletions`],
    ...['erase', 'notify'].flatMap((name) =>
      ['LLEN wait', 'LLEN active', 'ZCARD prioritized', 'ZCARD delayed'].flatMap((each) => {
        const [command = '', list = ''] = each.split(' ');
        return [command, `${prefix}:${name}:${list}`];
      }),
    ),
    ...['LLEN', `${queue}:wait`, 'LLEN', `${queue}:active`, 'ZCARD', `${queue}:prioritized`],
  ];
  const look = async () => {
    onProgress?.({ hour: (time.now - DAY_STARTS) / 3_600_000, accepted: sent.accepted.length, events: time.events });
    if (time.now > endsAt + AFTERWARDS_MS) day.over = true;
    else if (time.now < endsAt || sent.left > 0) time.after(LOOK_EVERY_MS, null, look);
    else {
      const replies: number[] = [];
      for (let i = 0; i < sizes.length; i += 2) {
        const [command = '', key = ''] = sizes.slice(i, i + 2);
        replies.push(
          Number(await wire.store.execute({ name: command, sha: null, keys: [], args: [command, key] }, 'watch')()),
        );
      }
      const [outbox = 0, live = 0, held = 0, ...queued] = replies;
      day.settled = outbox === 0 && live === held && queued.every((size) => size === 0);
      day.over = day.settled;
      if (!day.over) time.after(LOOK_EVERY_MS, null, look);
    }
  };
  time.after(LOOK_EVERY_MS, null, look);
  return day;
}

interface Audit {
  done: boolean;
  readonly views: Map<string, VerificationView | null>;
  ledger: { paidCalls: number; possiblyPaidCalls: number };
}

const PAGE = 200;

/** Reads everything that the deployment says about the day. */
function startAudit(world: World, sent: Sent): Audit {
  const audit: Audit = { done: false, views: new Map(), ledger: { paidCalls: 0, possiblyPaidCalls: 0 } };
  const owner = newOwner('auditor');
  run(world, owner, async () => {
    const deployment = createDeployment(SimulatedRedis.open(world.wire, owner, 'worker'), world.config.prefix);
    const ids = [...new Set(sent.accepted.map(({ id }) => id))];
    for (let from = 0; from < ids.length; from += PAGE) {
      const page = ids.slice(from, from + PAGE);
      const views = await readViews(deployment, page);
      for (const [index, id] of page.entries()) audit.views.set(id, views[index] ?? null);
    }
    const client: BestframeClient = openClient(world, owner);
    const today = new Date().toISOString().slice(0, 10);
    const since = new Date(DAY_STARTS).toISOString().slice(0, 10);
    for (const sum of await untilReached(() => client.costs({ by: 'action', since, until: today }))) {
      audit.ledger.paidCalls += sum.paidCalls;
      audit.ledger.possiblyPaidCalls += sum.possiblyPaidCalls;
    }
    audit.done = true;
  });
  return audit;
}

async function reportOf(
  { seed }: Options,
  world: World,
  parts: { sent: Sent; faults: Faults; audit: Audit; log: Log; settled: boolean },
  startedAt: number,
): Promise<Report> {
  const { sent, faults, audit, log, settled } = parts;
  const { store } = world.wire;
  await store.settle();
  const { executed } = store;
  const left = await store.keys();
  const remains = { ...audit, executed, left, settled, log: log.canaries };
  const violations = judgeDay(world, sent, faults, remains);
  return {
    seed,
    accepted: audit.views.size,
    refused: Object.fromEntries(sent.refused),
    ends: endsOf(audit.views, sent),
    faults: faults.counts,
    billed: world.vendor.calls.filter(({ billed }) => billed === true).length,
    ledger: audit.ledger,
    settled,
    violations,
    ...{ logLines: log.lines, logSha256: log.sha256, virtualMs: Math.round(world.time.now - DAY_STARTS) },
    ...{ events: world.time.events, commands: store.commands, ms: Math.round(performance.now() - startedAt) },
  };
}

function endsOf(views: ReadonlyMap<string, VerificationView | null>, { erased }: Sent): Counts {
  const ends: Counts = {};
  for (const [id, view] of views) {
    const end = erased.has(id)
      ? 'erased'
      : view === null
        ? 'lost'
        : view.state === 'failed'
          ? `failed: ${view.reason?.code}`
          : view.state;
    ends[end] = (ends[end] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(ends).sort());
}
