/** Starts the workers. Together with `edges.ts`, this is the only place where adapters meet the pipeline. */
import type { Queue } from 'bullmq';
import type { Logger } from 'pino';
import { createTransport, createWebhookSender } from '../adapters/http/index.ts';
import { openTelemetry } from '../adapters/tracing.ts';
import { DeletionBatches } from '../background/deletion-batches.ts';
import { ERASE_SLOTS, EraseWorker } from '../background/erase-worker.ts';
import { Feeder } from '../background/feeder.ts';
import { NOTIFY_SLOTS, type NotifyTuning, NotifyWorker } from '../background/notify-worker.ts';
import { Retention } from '../background/retention.ts';
import { Sweeper } from '../background/sweeper.ts';
import { NO_OBSERVER, type Observer } from '../domain/operations/process-metrics.ts';
import { RETRY_LANE } from '../domain/operations/retries.ts';
import type { EvidenceBuckets, WebhookSender } from '../domain/ports.ts';
import { receiptOwner } from '../domain/verification/frame-receipt.ts';
import { maxPaymentsWithoutReview } from '../domain/verification/policy.ts';
import { REGIONS } from '../domain/verification/regions.ts';
import { Gate } from '../pipeline/gate.ts';
import { DEFAULT_LEASE, type LeaseTimes } from '../pipeline/lease.ts';
import { LightSequences } from '../pipeline/light-sequences.ts';
import { observeVendor } from '../pipeline/observe-vendor.ts';
import { Occupancy } from '../pipeline/occupancy.ts';
import type { Edges } from '../pipeline/stages/index.ts';
import { VerifyWorker } from '../pipeline/verify-worker.ts';
import { connectProducer } from '../redis/connection.ts';
import { createDeployment, type Deployment } from '../redis/deployment.ts';
import { recordMode, requireMode } from '../redis/deployment-mode.ts';
import { recordNamespace } from '../redis/deployment-namespace.ts';
import { openEraseQueue } from '../redis/erase-queue.ts';
import { recordExpiryMs } from '../redis/job-options.ts';
import { openNotifyQueue } from '../redis/notify-queue.ts';
import { Outbox } from '../redis/outbox.ts';
import { SeriesObserver } from '../redis/series.ts';
import { areGatesOpen, hasTakeableJob } from '../redis/takeable.ts';
import { TenantPolicies } from '../redis/tenant-policies.ts';
import { openVerifyQueue } from '../redis/verify-queue.ts';
import { WebhookEndpoints } from '../redis/webhook-endpoints.ts';
import { transportOptions } from './adapters.ts';
import type { Config } from './config.ts';
import { type OpenEdges, openEdges } from './edges.ts';
import { type OpenMachine, openMachine } from './machine.ts';
import { namespaceOf } from './namespace.ts';
import { openRedis } from './redis.ts';
import { cleanUp, type Running, stopOnce } from './running.ts';
import { watchWorkers } from './watch-workers.ts';

/** Connections that are open. */
interface Opened {
  readonly deployment: Deployment;
  readonly edges: Edges;
  readonly observer?: Observer;
}

/** Runs verifications: one worker per region, and the sweeper. */
export async function openVerify(config: Config, log: Logger, observer = NO_OBSERVER): Promise<Running> {
  const namespace = namespaceOf(config);
  const opened = openEdges(config, log);
  const deployment = await openRedis(config);
  const { machine, serve, close: closeMachine } = openMachine(config, { deployment, transport: opened.transport, log });
  try {
    await requireMode(deployment, config.mode);
    await machine.start();
    // On a faulty machine (for example with a wrong clock), COS's refusals would look like a problem of the credentials.
    if (machine.fault === null) await opened.checkBuckets(log);
    await recordMode(deployment, config.mode);
    await recordNamespace(deployment, namespace, config.mode);
  } catch (error) {
    await closeMachine();
    deployment.redis.disconnect();
    await opened.close();
    throw error;
  }
  const running = await startVerify(config, { deployment, edges: opened.edges, machine, serve, observer }, log);
  return {
    ...running,
    stop: stopOnce(async (drainMs) => {
      const drained = await running.stop(drainMs);
      await cleanUp({ deployment }, closeMachine);
      await opened.close();
      deployment.redis.disconnect();
      return drained;
    }),
  };
}

/** Starts the verify workers and the sweeper on open connections. The caller closes them after `stop`. */
export async function startVerify(
  config: Config,
  {
    deployment,
    edges: unobserved,
    machine,
    serve,
    observer: given = NO_OBSERVER,
  }: Opened & Pick<OpenMachine, 'machine' | 'serve'>,
  log: Logger,
): Promise<Running> {
  const observer = new SeriesObserver(deployment, given);
  const edges = { ...unobserved, faceId: observeVendor(unobserved.faceId, observer, openTelemetry) };
  const lease = leaseTimes(config);
  const gate = new Gate(deployment, config.limits, lease.leaseMs);
  const eraseQueue = openEraseQueue(deployment);
  const notifyQueue = openNotifyQueue(deployment);
  const outbox = new Outbox(deployment, eraseQueue, notifyQueue);
  // The sweeper needs the queues of all regions: verifications in a region without workers must end by their deadline too.
  const queues = new Map(REGIONS.map((region) => [region, openVerifyQueue(deployment, region)] as const));
  const tenants = new TenantPolicies(deployment);
  const shared = { deployment, gate, outbox, edges, lease, machine, occupancy: new Occupancy(), tenants, observer };
  const workers = new Map(
    config.regions.map((region) => [region, createVerifyWorker(config, shared, { region, log })] as const),
  );
  const expiryMs = recordExpiryMs(config.recordTtlMs);
  const keep = { ms: config.keepSourcesMs, maxPayments: maxPaymentsWithoutReview(config.policy, RETRY_LANE) };
  const sweeper = new Sweeper({ deployment, queues, outbox, expiryMs, keep, log });
  const feeder = new Feeder({ deployment, queues, limits: config.limits, log });
  for (const [region, queue] of queues) await workers.get(region)?.start(queue);
  const used = () => [...workers.values()].reduce((sum, { jobs }) => sum + jobs.running, 0);
  const slotsNow = () => ({ used: used(), of: workers.size * config.slots });
  await serve({ regions: config.regions, slots: slotsNow });
  sweeper.start();
  feeder.start();
  const { mode, regions, slots } = config;
  log.info({ event: 'ready', mode, regions, slots }, 'verify worker ready');
  const watched = [...workers].map(([region, { jobs }]) => {
    const queue = queues.get(region) as Queue; // there is a queue for every region
    const mayTake = async () =>
      machine.fault === null && (await hasTakeableJob(queue)) && (await areGatesOpen(deployment, region));
    return { jobs, slots, queue: queue.name, mayTake };
  });
  const watch = watchWorkers(watched, config.wedgedMs, log);
  return {
    failed: watch.failed,
    trouble: () => machine.fault?.message ?? null,
    stop: stopOnce(async (drainMs) => {
      watch.stop();
      const swept = Promise.all([sweeper.stop(), feeder.stop()]);
      await serve({ regions: [], slots: slotsNow });
      const drained = await Promise.all([...workers.values()].map((worker) => worker.drain(drainMs)));
      await cleanUp({ deployment }, async () => {
        await swept;
        await observer.stop();
        await Promise.all([...queues.values(), eraseQueue, notifyQueue].map((queue) => queue.close()));
      });
      return drained.every(Boolean);
    }),
  };
}

type SharedParts = Pick<
  ConstructorParameters<typeof VerifyWorker>[0],
  'deployment' | 'gate' | 'outbox' | 'edges' | 'lease' | 'machine' | 'occupancy' | 'tenants' | 'observer'
>;

function createVerifyWorker(
  config: Config,
  shared: SharedParts,
  { region, log }: { region: Config['regions'][number]; log: Logger },
): VerifyWorker {
  const { policy, breakers, slots, objectFolder, keepFramesMs, keepSourcesMs } = config;
  const { demands, mode, reuse, costs } = config;
  const namespace = namespaceOf(config);
  return new VerifyWorker({
    ...shared,
    tracer: openTelemetry,
    region,
    policy,
    breakers,
    stalledIntervalMs: Math.round(shared.lease.leaseMs / 4),
    slots,
    objectFolder,
    buckets: config.buckets,
    // A record must outlive its frame.
    expiryMs: recordExpiryMs(Math.max(config.recordTtlMs, keepFramesMs)),
    keepFramesMs,
    keepSourcesMs,
    evidence: config.evidence,
    receiptOwner: receiptOwner(namespace, config),
    demands,
    mode,
    reuse: { namespace, ...reuse },
    costs,
    log: log.child({ region }),
  });
}

/** Deletes the objects that verifications leave in the company's own buckets, and everything that has reached its age limit. */
export async function openErase(config: Config, log: Logger): Promise<Running> {
  namespaceOf(config); // If it is missing, fail before anything is open.
  const deployment = await openRedis(config);
  const { edges, evidence, checkEvidence, close } = openEdges(config, log);
  try {
    await checkEvidence(log);
  } catch (error) {
    deployment.redis.disconnect();
    await close();
    throw error;
  }
  const running = await startErase(config, { deployment, edges, evidence }, log);
  return {
    ...running,
    stop: stopOnce(async (drainMs) => {
      const drained = await running.stop(drainMs);
      await close();
      deployment.redis.disconnect();
      return drained;
    }),
  };
}

/** Starts the erase worker and retention on open connections. The caller closes them after `stop`. */
export async function startErase(
  config: Config,
  { deployment, edges, evidence }: Opened & { readonly evidence: EvidenceBuckets },
  log: Logger,
): Promise<Running> {
  const queues = new Map(config.regions.map((region) => [region, openVerifyQueue(deployment, region)] as const));
  const { objectFolder, buckets, recordTtlMs, mode } = config;
  const { staging } = config.api;
  const stagingFolder = staging?.to === 'bucket' ? staging.folder : null;
  const namespace = namespaceOf(config);
  const tenants = new TenantPolicies(deployment);
  const copying = { evidence, tenants, buckets };
  const worker = new EraseWorker({ deployment, log, objectFolder, stagingFolder, queues, edges, ...copying });
  const retention = new Retention({
    ...{ deployment, log, sink: edges.sink, evidence, recordTtlMs, keepFramesMs: config.keepFramesMs },
    receiptOwner: receiptOwner(namespace, config),
    rewriteAof: config.rewriteAof,
  });
  const queue = openEraseQueue(deployment);
  const batches = new DeletionBatches({ deployment, queue, edges, objectFolder, log });
  await worker.start();
  batches.start();
  retention.start();
  log.info({ event: 'ready', mode }, 'erase worker ready');
  const watched = [
    { jobs: worker.jobs, slots: ERASE_SLOTS, queue: queue.name, mayTake: () => hasTakeableJob(queue) },
    { jobs: batches.jobs, slots: 1, queue: 'deletions', mayTake: () => batches.mayTake() },
  ];
  const watch = watchWorkers(watched, config.wedgedMs, log);
  return {
    failed: watch.failed,
    stop: stopOnce(async (drainMs) => {
      watch.stop();
      const retained = retention.stop();
      const drained = await Promise.all([worker.drain(drainMs), batches.drain(drainMs)]);
      await cleanUp({ deployment }, async () => {
        await retained;
        await Promise.all([...queues.values(), queue].map((each) => each.close()));
      });
      return drained.every(Boolean);
    }),
  };
}

/** Delivers webhooks. Needs no credentials: it only reads Redis and calls endpoints. */
export async function openNotify(
  config: Config,
  log: Logger,
  observer = NO_OBSERVER,
  tuning: NotifyTuning = {},
): Promise<Running> {
  const transport = createTransport({ ...transportOptions(config), allowedHosts: config.webhookAllow });
  const deployment = await openRedis(config);
  const running = await startNotify(
    config,
    { deployment, sender: createWebhookSender(transport), observer },
    log,
    tuning,
  );
  return {
    ...running,
    stop: stopOnce(async (drainMs) => {
      const drained = await running.stop(drainMs);
      await transport.close();
      deployment.redis.disconnect();
      return drained;
    }),
  };
}

/** Starts the notify worker on open connections. The caller closes them after `stop`. */
export async function startNotify(
  config: Config,
  { deployment, sender, observer }: Pick<Opened, 'deployment' | 'observer'> & { readonly sender: WebhookSender },
  log: Logger,
  tuning: NotifyTuning = {},
): Promise<Running> {
  const endpoints = new WebhookEndpoints(deployment);
  const { mode, webhooks: configured } = config;
  for (const { name } of configured) await endpoints.announce(name);
  const worker = new NotifyWorker({
    deployment,
    mode,
    configured,
    endpoints,
    sender,
    observer,
    log,
    ...tuning,
    tracer: openTelemetry,
  });
  await worker.start();
  log.info({ event: 'ready', mode, endpoints: configured.map(({ name }) => name) }, 'notify worker ready');
  const queue = openNotifyQueue(deployment);
  const mayTake = () => hasTakeableJob(queue);
  const watched = [{ jobs: worker.jobs, slots: NOTIFY_SLOTS, queue: queue.name, mayTake }];
  const watch = watchWorkers(watched, config.wedgedMs, log);
  return {
    failed: watch.failed,
    stop: stopOnce(async (drainMs) => {
      watch.stop();
      const drained = await worker.drain(drainMs);
      await cleanUp({ deployment }, () => queue.close());
      return drained;
    }),
  };
}

export interface OpenSequences {
  readonly sequences: LightSequences;
  /** Waits for the running requests, which may take seconds. Idempotent. */
  close(): Promise<void>;
}

/** Opens the light-sequence service of a server. Connects lazily: if Redis is unreachable, each request fails with that error. */
export function openSequences(config: Config, log: Logger, observer = NO_OBSERVER): OpenSequences {
  const { edges: unobserved, close }: OpenEdges = openEdges(config, log);
  const edges = { ...unobserved, faceId: observeVendor(unobserved.faceId, observer) };
  const redis = connectProducer(config.redis);
  redis.on('error', () => undefined); // The request fails with the error. Without a listener ioredis would print the address.
  const deployment = createDeployment(redis, config.prefix, config.keyRing);
  const eraseQueue = openEraseQueue(deployment);
  const { mode, objectFolder, limits } = config;
  const namespace = namespaceOf(config);
  const gate = new Gate(deployment, limits);
  const sequences = new LightSequences({ deployment, edges, gate, eraseQueue, namespace, mode, objectFolder, log });
  const stop = stopOnce(async () => {
    await sequences.whenIdle();
    await eraseQueue.close();
    await close();
    redis.disconnect();
    return true;
  });
  return {
    sequences,
    close: async () => {
      await stop(0);
    },
  };
}

function leaseTimes({ leaseMs }: Config): LeaseTimes {
  return { leaseMs, renewMs: Math.round((leaseMs * DEFAULT_LEASE.renewMs) / DEFAULT_LEASE.leaseMs) };
}
