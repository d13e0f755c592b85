/**
 * The only place where adapters meet the pipeline. Each `open…` gives something that runs and how to end it.
 */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { openSite } from './api/site/site.ts';
import { openAudit } from './audit.ts';
import { ApiKeys } from './client/api-keys.ts';
import { credentialsIfAny, credentialsOf, once, openSink, type Running, wayOf } from './composing.ts';
import type { Config } from './config.ts';
import type { Instruments } from './doctor/instruments.ts';
import type { Region } from './domain/actions.ts';
import { CODES, classify } from './domain/errors/index.ts';
import { Failure, inputFailure } from './domain/failure.ts';
import { hashPassword, type Operator } from './domain/operators.ts';
import type { Bucket } from './domain/ports.ts';
import { openClient } from './open-client.ts';
import type { RedisClient } from './queue/connection.ts';
import { connectProducer, connectWorker, untilReady } from './queue/connection.ts';
import { Endpoints } from './queue/endpoints.ts';
import { openEraseQueue } from './queue/erase-queue.ts';
import { createNames, type Names } from './queue/names.ts';
import { openNotifyQueue } from './queue/notify-queue.ts';
import { expiryOf, type VerifyJob } from './queue/options.ts';
import { Outbox } from './queue/outbox.ts';
import { Sealer } from './queue/seal.ts';
import { openVerifyQueue } from './queue/verify-queue.ts';
import { EraseWorker } from './runtime/erase-worker.ts';
import { Gate } from './runtime/gate.ts';
import { DEFAULT_LEASE, type LeaseTimes } from './runtime/lease.ts';
import { type NotifyTuning, NotifyWorker } from './runtime/notify-worker.ts';
import { Retention } from './runtime/retention.ts';
import { Sequences } from './runtime/sequences.ts';
import { Sweeper } from './runtime/sweeper.ts';
import { VerifyWorker } from './runtime/verify-worker.ts';
import type { Edges } from './stages/index.ts';
import { bucketSettings, type CheckedBucket, createBucket, createFrameSink, createSources } from './storage/index.ts';
import { createFaceId } from './tencent/index.ts';
import { createLinkIo, createTransport, createWebhookSender } from './transport/index.ts';

const REDIS_READY_MS = 15_000;
const BUCKET_CHECK_MS = 10_000;

export type { Running };

export interface OpenEdges {
  readonly edges: Edges;
  /**
   * Asks for each bucket in its region, with the configured keys. @throws Failure BUCKET_REGION or NO_CREDENTIALS: a worker
   * that starts so would fail every verification. A COS that is out of reach is said in the log, and stops nobody.
   */
  checkBuckets(log: Logger): Promise<void>;
  close(): Promise<void>;
}

/** Everything outside: vendor, buckets, links, sources, sink. */
export function openEdges(config: Config): OpenEdges {
  const way = wayOf(config);
  const transport = createTransport({ ...way, allowPrivateAddresses: config.allowPrivateSources });
  const credentials = credentialsOf(config);
  const buckets = new Map<Region, CheckedBucket>(
    [...config.buckets].map(([region, name]) => [region, createBucket({ name, region, credentials, transport })]),
  );
  const faceId = createFaceId({ ...way, credentials, endpoint: config.endpoint });
  const edges: Edges = {
    sources: createSources({
      roots: config.fileRoots,
      transport,
      buckets,
      ...(config.spoolDir === undefined ? {} : { spoolDir: config.spoolDir }),
    }),
    links: createLinkIo(transport),
    faceId,
    sink: createFrameSink({ dir: config.framesDir, buckets, transport }),
    bucket: (region) => bucketOf(buckets, region),
  };
  return {
    edges,
    checkBuckets: async (log) => {
      await Promise.all([...buckets.values()].map((bucket) => checkBucket(bucket, log)));
    },
    close: async () => {
      await faceId.close();
      await transport.close();
    },
  };
}

/** What `doctor` and `bucket init` look with. Opens nothing yet: a check must be able to say what cannot be opened. */
export function openInstruments(config: Config): Instruments {
  const way = wayOf(config);
  const transport = createTransport(way);
  const credentials = credentialsIfAny(config);
  const faceId = createFaceId({ ...way, credentials, endpoint: config.endpoint });
  const redis = connectProducer(config.redis);
  redis.on('error', () => undefined); // the check says it; without a listener ioredis would print the address
  return {
    redis,
    faceId,
    transport,
    links: createLinkIo(transport),
    buckets: new Map(
      [...config.buckets].map(([region, name]) => {
        const place = { name, region, credentials, transport };
        return [region, { objects: createBucket(place), settings: bucketSettings(place) }];
      }),
    ),
    close: async () => {
      redis.disconnect();
      await faceId.close();
      await transport.close();
    },
  };
}

/** Workers that carry verifications, one for each region, with the sweeper beside them. */
export async function openVerify(config: Config, log: Logger): Promise<Running> {
  const { edges, checkBuckets, close } = openEdges(config);
  const { redis, names } = await openRedis(config);
  try {
    await checkBuckets(log);
  } catch (error) {
    redis.disconnect();
    await close();
    throw error;
  }
  const lease = leaseOf(config);
  const gate = new Gate(redis, names, config.limits, lease.leaseMs);
  const eraseQueue = openEraseQueue(redis, names);
  const notifyQueue = openNotifyQueue(redis, names);
  const outbox = new Outbox(redis, names, eraseQueue, notifyQueue);
  const queues = new Map<Region, Queue<VerifyJob>>(
    config.regions.map((region) => [region, openVerifyQueue(redis, names, region)]),
  );
  const sealer = new Sealer(config.keyRing);
  const workers = config.regions.map(
    (region) =>
      new VerifyWorker({
        redis,
        names,
        region,
        edges,
        gate,
        outbox,
        policy: config.policy,
        lease,
        stalledIntervalMs: Math.round(lease.leaseMs / 4),
        slots: config.slots,
        objectFolder: config.objectFolder,
        // A frame that is kept for longer than its record keeps it there.
        expiryMs: expiryOf(Math.max(config.recordTtlMs, config.keepFramesMs)),
        keepFramesMs: config.keepFramesMs,
        demands: config.demands,
        sealer,
        mode: config.mode,
        reuse: { namespace: config.namespace, ...config.reuse },
        log: log.child({ region }),
      }),
  );
  const sweeper = new Sweeper({
    redis,
    names,
    queues,
    outbox,
    expiryMs: expiryOf(config.recordTtlMs),
    sealer,
    log,
  });
  for (const [index, region] of config.regions.entries()) {
    const queue = queues.get(region);
    if (queue !== undefined) await workers[index]?.start(queue);
  }
  sweeper.start();
  log.info({ event: 'ready', mode: config.mode, regions: config.regions, slots: config.slots }, 'verify worker ready');
  return {
    stop: once(async (drainMs: number) => {
      await sweeper.stop();
      const drained = await Promise.all(workers.map((worker) => worker.drain(drainMs)));
      await Promise.all([...queues.values(), eraseQueue, notifyQueue].map((queue) => queue.close()));
      await close();
      redis.disconnect();
      return drained.every(Boolean);
    }),
  };
}

/** The worker that deletes what verifications left in the own bucket. */
export async function openErase(config: Config, log: Logger): Promise<Running> {
  const { redis, names } = await openRedis(config);
  const { edges, close } = openEdges(config);
  const sealer = new Sealer(config.keyRing);
  const queues = new Map(config.regions.map((region) => [region, openVerifyQueue(redis, names, region)] as const));
  const { objectFolder, recordTtlMs } = config;
  const shared = { redis, names, sealer, log };
  const worker = new EraseWorker({ ...shared, objectFolder, queues, edges });
  const retention = new Retention({ ...shared, sink: edges.sink, recordTtlMs });
  await worker.start();
  retention.start();
  log.info({ event: 'ready', mode: config.mode }, 'erase worker ready');
  return {
    stop: once(async (drainMs: number) => {
      await retention.stop();
      const drained = await worker.drain(drainMs);
      await Promise.all([...queues.values()].map((queue) => queue.close()));
      await close();
      redis.disconnect();
      return drained;
    }),
  };
}

export interface OpenSequences {
  readonly sequences: Sequences;
  /** Waits for what is under way, which is a matter of seconds. Idempotent. */
  close(): Promise<void>;
}

/** Light sequences, for whoever serves a phone. Opens nothing yet: Redis that is away is said to each who asks. */
export function openSequences(config: Config, log: Logger): OpenSequences {
  const { edges, close } = openEdges(config);
  const redis = connectProducer(config.redis);
  redis.on('error', () => undefined); // whoever asks is told; without a listener ioredis would print the address
  const names = createNames(config.prefix);
  const eraseQueue = openEraseQueue(redis, names);
  const sequences = new Sequences({
    redis,
    names,
    edges,
    gate: new Gate(redis, names, config.limits),
    eraseQueue,
    sealer: new Sealer(config.keyRing),
    namespace: config.namespace,
    mode: config.mode,
    objectFolder: config.objectFolder,
    log,
  });
  const end = once(async () => {
    await sequences.idle();
    await eraseQueue.close();
    await close();
    redis.disconnect();
    return true;
  });
  return {
    sequences,
    close: async () => {
      await end(0);
    },
  };
}

/** The worker that tells webhook endpoints. It needs no credentials: it reads Redis, and goes to endpoints alone. */
export async function openNotify(config: Config, log: Logger, tuning: NotifyTuning = {}): Promise<Running> {
  const transport = createTransport({ ...wayOf(config), allowedHosts: config.webhookAllow });
  const { redis, names } = await openRedis(config);
  const sealer = new Sealer(config.keyRing);
  const endpoints = new Endpoints(redis, names, sealer);
  const { mode, webhooks: settled } = config;
  for (const { name } of settled) await endpoints.announce(name);
  const sender = createWebhookSender(transport);
  const worker = new NotifyWorker({ redis, names, sealer, mode, settled, endpoints, sender, log, ...tuning });
  await worker.start();
  log.info({ event: 'ready', mode, endpoints: settled.map(({ name }) => name) }, 'notify worker ready');
  return {
    stop: once(async (drainMs: number) => {
      const drained = await worker.drain(drainMs);
      await transport.close();
      redis.disconnect();
      return drained;
    }),
  };
}

/** The operators' site, as a process of its own. */
export async function openDashboardFor(config: Config, log: Logger): Promise<Running & { url: string }> {
  const { host, port, proxies } = config.dashboard;
  const operators = await operatorsOf(config);
  const { redis, names } = await openRedis(config);
  const verify = new Map<Region, Queue<VerifyJob>>(
    config.regions.map((region) => [region, openVerifyQueue(redis, names, region)]),
  );
  const erase = openEraseQueue(redis, names);
  const notify = openNotifyQueue(redis, names);
  const client = openClient(config);
  const keys = new ApiKeys(config.redis, config.prefix);
  const audit = await openAudit(config.audit);
  const { sink, close } = openSink(config);
  const site = await openSite({
    redis,
    names,
    sealer: new Sealer(config.keyRing),
    mode: config.mode,
    verify,
    erase,
    notify,
    client,
    keys,
    audit,
    operators,
    proxies: proxies.trusted.length === 0 ? null : proxies,
    host,
    port,
    limits: config.limits,
    sink,
  });
  log.info({ event: 'ready', address: site.url }, `dashboard ready at ${site.url}`);
  return {
    url: site.url,
    stop: once(async () => {
      await site.close();
      await Promise.all([...verify.values(), erase, notify].map((queue) => queue.close()));
      await client.close();
      await keys.close();
      await audit.close();
      await close();
      redis.disconnect();
      return true;
    }),
  };
}

/** @throws Failure INVALID_SETTINGS where nobody could log in: there is no login by default. */
async function operatorsOf({ dashboard }: Config): Promise<Operator[]> {
  const { user, password, operators } = dashboard;
  const both = user !== undefined && password !== undefined;
  if (!both && (operators.length === 0 || user !== undefined || password !== undefined)) {
    const message =
      'the dashboard needs somebody who may log in: set BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD, or BESTFRAME_DASHBOARD_USERS';
    throw inputFailure(CODES.INVALID_SETTINGS, 'dashboard', message);
  }
  if (!both) return [...operators];
  return [...operators, { name: user, roles: ['operator'], password: await hashPassword(password) }];
}

export async function openRedis(config: Config): Promise<{ redis: RedisClient; names: Names }> {
  const redis = connectWorker(config.redis);
  // Said by whoever waits for Redis; without a listener ioredis would print the address to stderr.
  redis.on('error', () => undefined);
  try {
    await untilReady(redis, REDIS_READY_MS);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  return { redis, names: createNames(config.prefix) };
}

function leaseOf(config: Config): LeaseTimes {
  const { leaseMs, renewMs } = DEFAULT_LEASE;
  return { leaseMs: config.leaseMs, renewMs: Math.round((config.leaseMs * renewMs) / leaseMs) };
}

async function checkBucket(bucket: CheckedBucket, log: Logger): Promise<void> {
  try {
    await bucket.check(AbortSignal.timeout(BUCKET_CHECK_MS));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (classify(error).class === 'account') {
      const { service, channel, code, sent } = error;
      throw new Failure(
        { service, channel, code, sent, field: 'BESTFRAME_BUCKETS' },
        `${bucket.region}: ${error.message}`,
      );
    }
    log.warn(
      { event: 'bucket not checked', region: bucket.region, code: error.code },
      'the bucket could not be checked',
    );
  }
}

function bucketOf(buckets: ReadonlyMap<Region, Bucket>, region: Region): Bucket {
  const bucket = buckets.get(region);
  if (bucket !== undefined) return bucket;
  const facts = { service: 'bestframe', channel: 'local', code: CODES.NO_BUCKET, sent: 'no', field: 'upload' } as const;
  throw new Failure(
    facts,
    `there is no own bucket for ${region}: set BESTFRAME_BUCKETS, or use upload way create-upload-url`,
  );
}
