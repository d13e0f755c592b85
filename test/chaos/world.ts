/**
 * What a run happens in: a Redis and an emulator of its own, worker processes, producers that enqueue until they are
 * answered, and a witness beside Redis. A fault breaks what it likes of it; `evidence` is what is left.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { BestframeClient } from '../../src/client/client.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { Failure } from '../../src/domain/failure.ts';
import { DEFAULT_POLICY } from '../../src/domain/policy.ts';
import { isTerminal } from '../../src/domain/states.ts';
import type { VerificationRequest } from '../../src/domain/verification.ts';
import type { VerificationView } from '../../src/domain/view.ts';
import { type CallEntry, EmulatorControl } from '../../src/emulator/control.ts';
import { type Emulator, startEmulator } from '../../src/emulator/index.ts';
import { type SampleOptions, sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { openClient } from '../../src/open-client.ts';
import { createNames, type Names } from '../../src/queue/names.ts';
import { allText } from '../support/leftovers.ts';
import type { Accepted, Evidence, LeftKey, Window } from './evidence.ts';
import { type Change, Fleet } from './fleet.ts';
import type { Invariant } from './invariants.ts';
import type { Random } from './random.ts';
import { ChaosRedis, type Fsync } from './redis.ts';
import { Witness } from './witness.ts';

export interface Place {
  /** Everything that a run writes lies in here. */
  readonly dir: string;
  readonly cacheDir: string;
  /** Of the built worker entry points. */
  readonly workersDir: string;
}

export interface WorldOptions {
  readonly place: Place;
  readonly random: Random;
  readonly settings?: Readonly<Record<string, string>>;
  readonly fsync?: Fsync;
  readonly redisArgs?: readonly string[];
  readonly changes?: readonly Change[];
  /** With the product's own lease, not a short one. */
  readonly long?: boolean;
  /** How long everything may take to end. */
  readonly settleMs?: number;
}

export interface Wanted {
  readonly upload?: Accepted['upload'];
  readonly lane?: Accepted['lane'];
  readonly card?: SampleOptions;
  readonly key?: string;
  readonly more?: Partial<VerificationRequest>;
}

/** A request whose files are written, and what the oracle must know of it. */
export interface Made {
  readonly request: VerificationRequest;
  readonly facts: Omit<Accepted, 'id' | 'status' | 'at'>;
}

const QPS = 40;
/** Nobody delivers: what is looked at is that it is handed on. */
const ENDPOINT = 'shop';
const CARDS = ['match', 'match', 'match', 'lowSimilarity', 'spoof', 'badLight'] as const;
const SHORT = { leaseMs: 1_000, callSeconds: 1, settleMs: 60_000 };
const LONG = { leaseMs: 8_000, callSeconds: 15, settleMs: 240_000 };
/** Work goes on so long after its worker was killed, where a slot is free. */
const RESUME_MS = 15_000;
/** The product looks again for objects of the dead after twenty minutes; here after longer than any worker is stopped. */
const SOONER: Change = { file: 'domain/policy.js', find: 'STRAY_MS = 2 * PUT_LINK_MS', put: 'STRAY_MS = 4_000' };
const EVERY_MS = 50;
/** Few enough to look at each. */
const FEW = 20;

export class ChaosWorld {
  readonly redis: ChaosRedis;
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  readonly config: Config;
  readonly names: Names;
  readonly client: BestframeClient;
  readonly fleet: Fleet;
  readonly witness: Witness;
  readonly random: Random;
  readonly accepted: Accepted[] = [];
  readonly windows: Window[] = [];
  readonly excused = new Set<string>();
  readonly forged = new Set<string>();
  readonly findings: { invariant: Invariant; what: string }[] = [];
  readonly log: string[];
  readonly dir: string;
  readonly settleMs: number;
  readonly leaseMs: number;
  readonly callMs: number;
  lossy = false;
  saturated = false;
  readonly #env: Readonly<Record<string, string>>;
  readonly #sealed: boolean;
  readonly #startedAt = Date.now();
  readonly #canaries: string[] = [];
  readonly #erased = new Set<string>();
  readonly #made = new Map<string, Made>();
  #keys = 0;

  private constructor(parts: {
    redis: ChaosRedis;
    emulator: Emulator;
    config: Config;
    env: Record<string, string>;
    witness: Witness;
    options: WorldOptions;
  }) {
    const { redis, emulator, config, env, witness, options } = parts;
    const times = options.long === true ? LONG : SHORT;
    this.redis = redis;
    this.emulator = emulator;
    this.control = new EmulatorControl(emulator.controlUrl);
    this.config = config;
    this.names = createNames(config.prefix);
    this.client = openClient(config);
    this.#env = env;
    this.witness = witness;
    this.random = options.random;
    this.#sealed = config.keyRing.size > 0;
    this.dir = options.place.dir;
    this.settleMs = options.settleMs ?? times.settleMs;
    this.leaseMs = config.leaseMs;
    this.callMs = times.callSeconds * 1_000;
    this.log = [];
    this.fleet = new Fleet({
      redisPort: redis.port,
      env,
      workersDir: options.place.workersDir,
      changes: [SOONER, ...(options.changes ?? [])],
      onLog: (line) => this.log.push(line),
    });
  }

  static async open(options: WorldOptions): Promise<ChaosWorld> {
    const { dir, cacheDir } = options.place;
    const times = options.long === true ? LONG : SHORT;
    await mkdir(join(dir, 'inputs'), { recursive: true });
    const redis = await ChaosRedis.start(join(dir, 'redis'), cacheDir, options.fsync ?? 'always', options.redisArgs);
    try {
      const limits = { DetectReflectLivenessAndCompare: QPS, CreateUploadUrl: QPS };
      const latencyMs = { DetectReflectLivenessAndCompare: 60, CreateUploadUrl: 5 };
      const emulator = await startEmulator({ dir: join(dir, 'emulator'), settings: { qps: limits, latencyMs } });
      const witness = new Witness(redis.port, options.changes);
      await witness.attach();
      const env: Record<string, string> = {
        BESTFRAME_MODE: 'test',
        BESTFRAME_REDIS_URL: redis.url,
        BESTFRAME_REGIONS: 'ap-singapore',
        BESTFRAME_BUCKETS: emulator.buckets
          .filter(({ region }) => region === 'ap-singapore')
          .map(({ name, region }) => `${region}=${name}`)
          .join(','),
        TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
        TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
        BESTFRAME_PROXY: emulator.proxyUrl,
        BESTFRAME_CA_FILE: emulator.caFile,
        BESTFRAME_FRAMES_DIR: join(dir, 'frames'),
        BESTFRAME_FILE_ROOTS: join(dir, 'inputs'),
        BESTFRAME_QPS_DETECT: String(QPS),
        BESTFRAME_QPS_UPLOAD_URL: String(QPS),
        BESTFRAME_LEASE_MS: String(times.leaseMs),
        BESTFRAME_CALL_SECONDS: `interactive=${times.callSeconds},batch=${times.callSeconds}`,
        BESTFRAME_BACKOFF_MS: 'interactive=50,batch=100',
        BESTFRAME_LOG: 'json',
        NODE_EXTRA_CA_CERTS: emulator.caFile,
        ...options.settings,
      };
      const world = new ChaosWorld({ redis, emulator, config: configOf(env), env, witness, options });
      await world.client.webhooks.add({ name: ENDPOINT, url: 'https://shop.example.com/' });
      return world;
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  // ── producers ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One of its own, by its own way to Redis. Whoever opens it closes it. */
  producer(redisUrl: string): BestframeClient {
    return openClient(configOf({ ...this.#env, BESTFRAME_REDIS_URL: redisUrl }));
  }

  /** So many verifications of all kinds, each enqueued until it is acknowledged. */
  async produce(count: number, wanted: Wanted = {}): Promise<Accepted[]> {
    const requests = await Promise.all(Array.from({ length: count }, () => this.request(wanted)));
    return Promise.all(requests.map((each) => this.enqueue(each)));
  }

  /** The same request as before, for a verification that Redis has forgotten. */
  async again(id: string): Promise<void> {
    const made = this.#made.get(id);
    if (made === undefined) throw new Error(`${id} was never enqueued`);
    await this.enqueue(made);
  }

  async request(wanted: Wanted = {}): Promise<Made> {
    const key = wanted.key ?? `canary-key-${++this.#keys}-${this.random.int(0, 1e9)}`;
    const upload = wanted.upload ?? (this.random.chance(0.7) ? 'own-bucket' : 'create-upload-url');
    const lane = wanted.lane ?? (this.random.chance(0.5) ? 'interactive' : 'batch');
    const sample: SampleOptions = wanted.card ?? { card: this.random.pick(CARDS) };
    const note = `canary-meta-${key}`;
    const liveData = sampleLiveData({ padBytes: 3_000, nonce: key, ...sample });
    const image = sampleImage(key);
    const paths = {
      liveData: join(this.dir, 'inputs', `${key}-live.gz`),
      image: join(this.dir, 'inputs', `${key}-photo.jpg`),
    };
    await writeFile(paths.liveData, liveData);
    await writeFile(paths.image, image);
    this.#canaries.push(key, note);
    const told = this.random.chance(0.5);
    const made: Made = {
      request: {
        key,
        region: 'ap-singapore',
        upload,
        lane,
        resources: { liveData: { from: 'file', path: paths.liveData }, image: { from: 'file', path: paths.image } },
        metadata: { note },
        ...(told ? { webhook: ENDPOINT } : {}),
        ...wanted.more,
      },
      facts: { key, upload, lane, told, card: sample.card, liveData: payloadOf(liveData), image: payloadOf(image) },
    };
    this.#made.set(this.client.idOf(key), made);
    return made;
  }

  /** As a producer does that means it: again, with the same key, until there is an answer. */
  async enqueue({ request, facts }: Made, client = this.client): Promise<Accepted> {
    for (const until = Date.now() + this.settleMs; ; ) {
      try {
        const { id, status } = await client.enqueue(request);
        return this.acknowledged({ ...facts, id, status, at: Date.now() });
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'REDIS_UNAVAILABLE' || Date.now() > until) throw error;
        await sleep(EVERY_MS);
      }
    }
  }

  acknowledged(accepted: Accepted): Accepted {
    this.accepted.push(accepted);
    return accepted;
  }

  /** It counts as erased from here on: nothing of it may be left. */
  erased(id: string): void {
    this.excused.add(id);
    this.#erased.add(id);
  }

  async erase(id: string): Promise<void> {
    await this.client.erase(id, { by: 'chaos', why: 'asked for' });
    this.erased(id);
  }

  // ── the end of it ────────────────────────────────────────────────────────────────────────────────────────────────

  /** Until everything that was acknowledged has ended, is held or excused, and what it left in the bucket is gone. */
  async settled(settleMs = this.settleMs): Promise<boolean> {
    const until = Date.now() + settleMs;
    let waiting = [...new Set(this.accepted.map(({ id }) => id))].filter((id) => !this.excused.has(id));
    const ended = async () => {
      // First what costs little to ask: this process has the emulator in it, and is to be quick.
      const { live, held } = await this.client.metrics();
      if (live > held + FEW) return false;
      const views = await Promise.all(waiting.map((id) => this.client.get(id)));
      waiting = waiting.filter((_id, index) => !atRest(views[index] ?? null));
      return waiting.length === 0;
    };
    const deleted = async () => {
      const { outbox, toErase, queues } = await this.client.metrics();
      return outbox + toErase + queues.reduce((sum, { waiting: left, active }) => sum + left + active, 0) === 0;
    };
    return (await polled(ended, until)) && (await polled(deleted, until));
  }

  async evidence(settled: boolean): Promise<Evidence> {
    const settledAt = Date.now();
    const ids = [...new Set(this.accepted.map(({ id }) => id))];
    const views = new Map<string, VerificationView | null>();
    for (const id of ids) views.set(id, await this.client.get(id));
    const redis = new Redis(this.redis.url);
    try {
      const [left, text] = [
        await leftIn(redis, this.config.prefix),
        await allText(redis, this.config.prefix, (key) => this.#mayHold(key)),
      ];
      const calls = (await readFile(this.emulator.logFile, 'utf8')).trim();
      return {
        prefix: this.config.prefix,
        limits: {
          qps: QPS,
          callMs: this.callMs,
          resumeMs: RESUME_MS,
          standstillMs: RESUME_MS + this.callMs,
          maxPayments: this.config.policy.maxPayments,
          crashBudget: DEFAULT_POLICY.crashBudget,
        },
        accepted: this.accepted,
        views,
        calls: calls === '' ? [] : calls.split('\n').map((line) => JSON.parse(line) as CallEntry),
        objects: await this.control.objects(),
        frames: await framesIn(join(this.dir, 'frames')),
        forged: this.forged,
        seen: this.witness.seen,
        gaps: this.witness.gaps,
        kills: this.fleet.kills,
        windows: this.windows,
        left,
        texts: new Map([
          ['the workers’ logs', this.log.join('\n')],
          [this.#sealed ? 'Redis, sealed' : 'Redis, outside of job and journal', text],
          ['the emulator’s call log', calls],
          ['names of frames', (await readdir(join(this.dir, 'frames')).catch(() => [])).join('\n')],
        ]),
        canaries: this.#canaries,
        startedAt: this.#startedAt,
        settledAt,
        settled,
        excused: this.excused,
        erased: this.#erased,
        lossy: this.lossy,
        saturated: this.saturated,
        findings: this.findings,
      };
    } finally {
      redis.disconnect();
    }
  }

  /** What is the caller's may lie in the verification's own record, until it is erased; sealed, it is nowhere in clear. */
  #mayHold(key: string): boolean {
    if (this.#sealed) return false;
    const [, id] = /:[vh]:(v\w+)$/.exec(key) ?? [];
    return id !== undefined && !this.#erased.has(id);
  }

  /** Ends everything that was started here. @param keep leaves what was written, to be looked at. */
  async close(keep = false): Promise<void> {
    await this.client.close();
    await this.control.clearFaults().catch(() => undefined); // closed already, where opening broke off
    await this.fleet.close();
    this.witness.detach();
    await this.emulator.close();
    await this.redis.stop();
    if (!keep) await rm(this.dir, { recursive: true, force: true });
  }
}

/** What a worker's Node is told is none of Bestframe's settings. */
function configOf({ NODE_EXTRA_CA_CERTS: _, ...settings }: Record<string, string>): Config {
  return readConfig(settings);
}

function atRest(view: VerificationView | null): boolean {
  return view !== null && (isTerminal(view.state) || view.state === 'held');
}

/** @returns false where it did not come true in time; a Redis that is away is asked again. */
export async function polled(look: () => Promise<boolean>, until: number): Promise<boolean> {
  for (;;) {
    try {
      if (await look()) return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    if (Date.now() > until) return false;
    await sleep(EVERY_MS);
  }
}

function payloadOf(bytes: Buffer) {
  return { md5: createHash('md5').update(bytes).digest('hex'), bytes: bytes.length };
}

async function framesIn(dir: string): Promise<Evidence['frames']> {
  const names = await readdir(dir).catch(() => []); // no frame yet, no folder
  const entries = names.map(async (name) => [join(dir, name), payloadOf(await readFile(join(dir, name)))] as const);
  return new Map(await Promise.all(entries));
}

async function leftIn(redis: Redis, prefix: string): Promise<LeftKey[]> {
  const sizes: Record<string, (key: string) => Promise<number>> = {
    hash: (key) => redis.hlen(key),
    list: (key) => redis.llen(key),
    set: (key) => redis.scard(key),
    zset: (key) => redis.zcard(key),
    stream: (key) => redis.xlen(key),
  };
  const left: LeftKey[] = [];
  for await (const keys of redis.scanStream({ match: '*', count: 500 }) as AsyncIterable<string[]>) {
    for (const key of keys) {
      const type = await redis.type(key);
      if (key.startsWith(`${prefix}:`) && type !== 'none')
        left.push({ key, type, size: (await sizes[type]?.(key)) ?? 1 });
    }
  }
  return left;
}
