/**
 * The world of one run: its own Redis and emulator, worker processes, producers that enqueue until they get an answer,
 * and a witness that records what Redis executes. A fault breaks some part of the world. `evidence` collects the
 * results.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { isMissing } from '../../src/adapters/storage/disk.ts';
import { openClient } from '../../src/app/client.ts';
import { type Config, readConfig } from '../../src/app/config.ts';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import { Failure } from '../../src/domain/errors/failure.ts';
import { DEFAULT_BREAKERS } from '../../src/domain/operations/breakers.ts';
import { DEFAULT_POLICY, SUSPECT_AFTER } from '../../src/domain/verification/policy.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { isTerminal } from '../../src/domain/verification/states.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { type CallEntry, EmulatorControl } from '../../src/emulator/control.ts';
import { type Emulator, startEmulator } from '../../src/emulator/index.ts';
import { type SampleOptions, sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { createNames, type Names } from '../../src/redis/names.ts';
import { allText } from '../support/leftovers.ts';
import type { Accepted, Evidence, LeftKey, Stall, Window } from './evidence.ts';
import { type Change, Fleet } from './fleet.ts';
import type { Invariant } from './invariants.ts';
import type { Random } from './random.ts';
import { ChaosRedis, type Fsync } from './redis.ts';
import { Witness } from './witness.ts';

export interface Place {
  /** Everything that a run writes is in this folder. */
  readonly dir: string;
  readonly cacheDir: string;
  /** The folder of the built worker entry points. */
  readonly workersDir: string;
}

export interface WorldOptions {
  readonly place: Place;
  readonly random: Random;
  readonly settings?: Readonly<Record<string, string>>;
  readonly fsync?: Fsync;
  readonly redisArgs?: readonly string[];
  readonly changes?: readonly Change[];
  /** Uses the product's default lease instead of a short one. */
  readonly long?: boolean;
  /** How long the run may take to settle. */
  readonly settleMs?: number;
}

export interface RequestChoices {
  readonly upload?: Accepted['upload'];
  readonly lane?: Accepted['lane'];
  readonly card?: SampleOptions;
  readonly key?: string;
  readonly caller?: string;
  /** The host that serves the sources over https. Default: they are files. */
  readonly host?: string;
  /** Writes the liveness package as Base64 text, which no stage accepts. */
  readonly base64?: boolean;
  /** As the liveness package, names an object that the bucket does not contain. */
  readonly missing?: boolean;
  readonly more?: Partial<VerificationRequest>;
}

/** A request whose files are written, and the facts about it that the oracle needs. */
export interface PreparedRequest {
  readonly request: VerificationRequest;
  readonly facts: Omit<Accepted, 'id' | 'status' | 'at'>;
}

const QPS = 40;
/** The webhook endpoint of the requests. No worker delivers to it: the oracle only checks that notifications are queued. */
const ENDPOINT = 'shop';
const CARDS = ['match', 'match', 'match', 'lowSimilarity', 'spoof', 'badLight'] as const;
const SHORT = { leaseMs: 1_000, callSeconds: 1, settleMs: 60_000, longestProbeMs: 1_500 };
const LONG = { leaseMs: 8_000, callSeconds: 15, settleMs: 240_000, longestProbeMs: DEFAULT_BREAKERS.longestProbeMs };
/** After a worker is killed, its work must resume within this time if a slot is free. */
const RESUME_MS = 15_000;
/**
 * After twenty minutes, the product deletes the objects of a verification again, because an upload of a dead worker may have
 * arrived late. The kit shortens this delay, but not below the longest time for which a fault stops a worker.
 */
const SHORTER_UPLOAD_AGE: Change = {
  file: 'domain/verification/policy.js',
  find: 'MAX_UPLOAD_AGE_MS = 2 * PUT_LINK_MS',
  put: 'MAX_UPLOAD_AGE_MS = 4_000',
};
/** The product first asks for a session's result after half a minute. */
const EARLIER_ASKING: Change = {
  file: 'domain/verification/policy.js',
  find: 'askMs: { first: 30_000,',
  put: 'askMs: { first: 1_000,',
};
const POLL_MS = 50;
/** If more verifications than this are live and not held, the run has not settled, so they are not read one by one. */
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
  readonly stalls: Stall[] = [];
  /** What the fault counted, for the report. */
  readonly counts: Record<string, number> = {};
  readonly excused = new Set<string>();
  readonly forged = new Set<string>();
  readonly findings: { invariant: Invariant; message: string }[] = [];
  readonly log: string[];
  readonly dir: string;
  readonly settleMs: number;
  readonly leaseMs: number;
  readonly callMs: number;
  /** The longest time between two probes of a breaker. */
  readonly longestProbeMs: number;
  lossy = false;
  saturated = false;
  readonly #env: Readonly<Record<string, string>>;
  readonly #sealed: boolean;
  readonly #startedAt = Date.now();
  readonly #canaries: string[] = [];
  readonly #erased = new Set<string>();
  readonly #prepared = new Map<string, PreparedRequest>();
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
    this.longestProbeMs = times.longestProbeMs;
    this.log = [];
    this.fleet = new Fleet({
      redisPort: redis.port,
      env,
      workersDir: options.place.workersDir,
      changes: [SHORTER_UPLOAD_AGE, EARLIER_ASKING, ...(options.changes ?? [])],
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
        BESTFRAME_BREAKER_MS: `firstProbe=${times.longestProbeMs / 15},longestProbe=${times.longestProbeMs}`,
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

  // ── producers ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a client with its own connection to Redis. The caller closes it. */
  producer(redisUrl: string): BestframeClient {
    return openClient(configOf({ ...this.#env, BESTFRAME_REDIS_URL: redisUrl }));
  }

  /** Enqueues `count` verifications of all kinds, each until it is acknowledged. */
  async produce(count: number, choices: RequestChoices = {}): Promise<Accepted[]> {
    const requests = await Promise.all(Array.from({ length: count }, () => this.request(choices)));
    return Promise.all(requests.map((each) => this.enqueue(each)));
  }

  /** Enqueues the same request again, for a verification that Redis has lost. */
  async enqueueAgain(id: string): Promise<void> {
    const prepared = this.#prepared.get(id);
    if (prepared === undefined) throw new Error(`${id} was never enqueued`);
    await this.enqueue(prepared);
  }

  async request(choices: RequestChoices = {}): Promise<PreparedRequest> {
    const key = choices.key ?? `canary-key-${++this.#keys}-${this.random.int(0, 1e9)}`;
    const upload = choices.upload ?? (this.random.chance(0.7) ? 'own-bucket' : 'create-upload-url');
    const lane = choices.lane ?? (this.random.chance(0.5) ? 'interactive' : 'batch');
    const sample: SampleOptions = choices.card ?? { card: this.random.pick(CARDS) };
    const note = `canary-meta-${key}`;
    const bytes = sampleLiveData({ padBytes: 3_000, nonce: key, ...sample });
    const liveData = choices.base64 === true ? Buffer.from(bytes.toString('base64')) : bytes;
    const image = sampleImage(key);
    const resources = {
      liveData:
        choices.missing === true
          ? { from: 'cos' as const, ...this.#bucket, key: `missing/${nameless(key)}` }
          : await this.#publish(`${key}-live.gz`, liveData, choices.host),
      image: await this.#publish(`${key}-photo.jpg`, image, choices.host),
    };
    this.#canaries.push(key, note);
    const hasWebhook = this.random.chance(0.5);
    const prepared: PreparedRequest = {
      request: {
        key,
        region: 'ap-singapore',
        upload,
        lane,
        resources,
        metadata: { note },
        ...(hasWebhook ? { webhook: ENDPOINT } : {}),
        ...choices.more,
      },
      facts: {
        key,
        upload,
        lane,
        hasWebhook,
        card: sample.card,
        ...(choices.caller === undefined ? {} : { caller: choices.caller }),
        liveData: payloadOf(liveData),
        image: payloadOf(image),
      },
    };
    this.#prepared.set(this.client.idOf(key), prepared);
    return prepared;
  }

  get #bucket() {
    const region = 'ap-singapore' as const;
    return { region, bucket: this.emulator.buckets.find((each) => each.region === region)?.name ?? '' };
  }

  /** Writes a source to the folder of inputs, or publishes it on a host. */
  async #publish(name: string, bytes: Buffer, host: string | undefined) {
    if (host !== undefined) {
      const url = `https://${host}/${nameless(name)}`;
      await this.control.putOrigin(url, bytes);
      return { from: 'https' as const, url };
    }
    const path = join(this.dir, 'inputs', name);
    await writeFile(path, bytes);
    return { from: 'file' as const, path };
  }

  /** Repeats the enqueue with the same key until there is an answer, as a careful producer does. */
  async enqueue({ request, facts }: PreparedRequest, client = this.client): Promise<Accepted> {
    for (const until = Date.now() + this.settleMs; ; ) {
      try {
        const { id, status } = await client.enqueue(request);
        return this.recordAccepted({ ...facts, id, status, at: Date.now() });
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'REDIS_UNAVAILABLE' || Date.now() > until) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  recordAccepted(accepted: Accepted): Accepted {
    this.accepted.push(accepted);
    return accepted;
  }

  /** Marks a verification as erased: from now on, none of its data may remain. */
  markErased(id: string): void {
    this.excused.add(id);
    this.#erased.add(id);
  }

  async erase(id: string): Promise<void> {
    await this.client.erase(id, { by: 'chaos', why: 'asked for' });
    this.markErased(id);
  }

  // ── end of a run ──────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Waits until each acknowledged verification has ended, is held or is excused, and its objects are deleted.
   * @returns false if this did not happen in time
   */
  async untilSettled(settleMs = this.settleMs): Promise<boolean> {
    const until = Date.now() + settleMs;
    let waiting = [...new Set(this.accepted.map(({ id }) => id))].filter((id) => !this.excused.has(id));
    const ended = async () => {
      // Metrics are cheap, so they are read first: this process also runs the emulator, which must stay fast.
      const { live, held } = await this.client.metrics();
      if (live > held + FEW) return false;
      const views = await Promise.all(waiting.map((id) => this.client.get(id)));
      waiting = waiting.filter((_id, index) => !isAtRest(views[index] ?? null));
      return waiting.length === 0;
    };
    const deleted = async () => {
      const { outbox, toErase, queues } = await this.client.metrics();
      return outbox + toErase + queues.reduce((sum, { waiting: left, active }) => sum + left + active, 0) === 0;
    };
    return (await pollUntil(ended, until)) && (await pollUntil(deleted, until));
  }

  async #ledger(): Promise<Evidence['ledger']> {
    const sums = await this.client.costs({ by: 'action' });
    const total = (kind: 'paidCalls' | 'possiblyPaidCalls') => sums.reduce((sum, each) => sum + each[kind], 0);
    return { paidCalls: total('paidCalls'), possiblyPaidCalls: total('possiblyPaidCalls') };
  }

  async evidence(settled: boolean): Promise<Evidence> {
    const settledAt = Date.now();
    const ids = [...new Set(this.accepted.map(({ id }) => id))];
    const views = new Map<string, VerificationView | null>();
    for (const id of ids) views.set(id, await this.client.get(id));
    const redis = new Redis(this.redis.url);
    try {
      const [left, text] = [
        await readLeftKeys(redis, this.config.prefix),
        await allText(redis, this.config.prefix, (key) => this.#mayHold(key)),
      ];
      const calls = (await readFile(this.emulator.logFile, 'utf8')).trim();
      return {
        prefix: this.config.prefix,
        limits: {
          qps: QPS,
          callMs: this.callMs,
          resumeMs: RESUME_MS,
          standstillMs: RESUME_MS + this.callMs + this.longestProbeMs,
          maxPayments: this.config.policy.maxPayments,
          crashBudget: SUSPECT_AFTER + DEFAULT_POLICY.crashBudget,
        },
        accepted: this.accepted,
        views,
        ledger: await this.#ledger(),
        calls: calls === '' ? [] : calls.split('\n').map((line) => JSON.parse(line) as CallEntry),
        objects: await this.control.objects(),
        frames: await readFrames(join(this.dir, 'frames')),
        forged: this.forged,
        executed: this.witness.executed,
        gaps: this.witness.gaps,
        kills: this.fleet.kills,
        windows: this.windows,
        stalls: this.stalls,
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

  /**
   * Returns whether the value of a Redis key may contain data of the caller in clear. Without a key ring, only a verification's
   * record and its kept sources may contain such data, until the verification is erased. With a key ring, no value may contain
   * such data.
   */
  #mayHold(key: string): boolean {
    if (this.#sealed) return false;
    const [, id] = /:(?:[vh]|kept):(v\w+)$/.exec(key) ?? [];
    return id !== undefined && !this.#erased.has(id);
  }

  /** Stops everything that this world started. @param keep keeps the files for inspection */
  async close(keep = false): Promise<void> {
    await this.client.close();
    await this.control.clearFaults().catch(() => undefined); // fails if the world was not opened completely
    await this.fleet.close();
    this.witness.detach();
    await this.emulator.close();
    await this.redis.stop();
    if (!keep) await rm(this.dir, { recursive: true, force: true });
  }
}

/** Returns a name that does not contain the caller's key, because the owner of a host or bucket may log names. */
function nameless(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 20);
}

/** Removes NODE_EXTRA_CA_CERTS, which is for Node and not a Bestframe setting. */
function configOf({ NODE_EXTRA_CA_CERTS: _, ...settings }: Record<string, string>): Config {
  return readConfig(settings);
}

function isAtRest(view: VerificationView | null): boolean {
  return view !== null && (isTerminal(view.state) || view.state === 'held');
}

/** Polls until `look` returns true. Retries while Redis is unavailable. @returns false if the time ran out */
export async function pollUntil(look: () => Promise<boolean>, until: number): Promise<boolean> {
  for (;;) {
    try {
      if (await look()) return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    if (Date.now() > until) return false;
    await sleep(POLL_MS);
  }
}

function payloadOf(bytes: Buffer) {
  return { md5: createHash('md5').update(bytes).digest('hex'), bytes: bytes.length };
}

async function readFrames(dir: string): Promise<Evidence['frames']> {
  const names = await readdir(dir).catch(() => []); // the folder appears with the first frame
  const entries = names.map(async (name) => {
    const path = join(dir, name);
    // A worker may remove a file that a killed worker left unfinished, after the folder was listed.
    try {
      return [[path, payloadOf(await readFile(path))] as const];
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  });
  return new Map((await Promise.all(entries)).flat());
}

async function readLeftKeys(redis: Redis, prefix: string): Promise<LeftKey[]> {
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
