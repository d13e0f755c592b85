/** The processes of the simulated deployment. Each runs the product's own composition of `src/app`. */
import type { Logger } from 'pino';
import type { Config } from '../../src/app/config.ts';
import { clockProbe, createMachine } from '../../src/app/machine.ts';
import { startErase, startNotify, startVerify } from '../../src/app/workers.ts';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { localFailure } from '../../src/domain/errors/failure.ts';
import { CODES } from '../../src/domain/errors/index.ts';
import type { EvidenceBuckets, WebhookSender } from '../../src/domain/ports.ts';
import { hasCode, type MachineProbe } from '../../src/pipeline/machine.ts';
import { createDeployment } from '../../src/redis/deployment.ts';
import { recordMode } from '../../src/redis/deployment-mode.ts';
import { type Machine, type Outside, openEdges } from './edges.ts';
import { SimulatedRedis, type Wire } from './redis-client.ts';
import { newOwner, type Owner } from './virtual-time.ts';

export interface World extends Outside {
  readonly wire: Wire;
  readonly config: Config;
  /** Notifications that endpoints have accepted: `id event`. */
  readonly delivered: Set<string>;
}

export interface WorkerProcess {
  readonly owner: Owner;
  readonly machine: Machine;
}

/** A worker process: verify worker and sweeper. */
export function startVerifyProcess(world: World, name: string): WorkerProcess {
  const owner = newOwner(name);
  const machine: Machine = { unmounted: false };
  run(world, owner, async () => {
    const { config } = world;
    const deployment = createDeployment(SimulatedRedis.open(world.wire, owner, 'worker'), config.prefix);
    const log = logOf(world, owner);
    const probes = [clockProbe(deployment, () => vendorClock(world, owner)), rootProbe(machine)];
    const opened = createMachine({ worker: name, regions: config.regions, deployment, probes, log });
    await opened.machine.start();
    await recordMode(deployment, config.mode);
    const edges = openEdges(owner, machine, world);
    await startVerify(config, { deployment, edges, machine: opened.machine, serve: opened.serve }, log);
  });
  return { owner, machine };
}

/** The simulated deployment keeps no evidence. */
const NO_EVIDENCE: EvidenceBuckets = {
  of: () => {
    throw new Error('there is no bucket of evidence');
  },
};

/** A worker process: erase worker, retention and notify worker. */
export function startBackgroundProcess(world: World, name: string): WorkerProcess {
  const owner = newOwner(name);
  const machine: Machine = { unmounted: false };
  run(world, owner, async () => {
    const { config } = world;
    const connect = () => createDeployment(SimulatedRedis.open(world.wire, owner, 'worker'), config.prefix);
    const log = logOf(world, owner);
    const edges = openEdges(owner, machine, world);
    await startErase(config, { deployment: connect(), edges, evidence: NO_EVIDENCE }, log);
    await startNotify(config, { deployment: connect(), sender: senderOf(world, owner) }, log);
  });
  return { owner, machine };
}

/** A backend, or an operator: a process with the client. */
export function openClient(world: World, owner: Owner): BestframeClient {
  const { config, wire } = world;
  return new BestframeClient({
    redis: config.redis,
    prefix: config.prefix,
    namespace: config.namespace,
    mode: config.mode,
    recordTtlMs: config.recordTtlMs,
    checkHosts: false,
    connect: () => SimulatedRedis.open(wire, owner, 'producer'),
  });
}

/** Ends a process as `kill -9` does. */
export function kill({ wire }: World, { owner }: WorkerProcess): void {
  owner.dead = true;
  wire.network.bury(owner);
  wire.log(owner, 'killed');
}

/** Runs a task as a process. A rejection is a bug of the simulation, or of the product. */
export function run({ wire, time }: World, owner: Owner, task: () => Promise<unknown>): void {
  time.at(time.now, owner, () => {
    task().catch((error: unknown) => {
      wire.log(owner, `failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      wire.fail(error);
    });
  });
}

async function vendorClock({ time, network }: World, owner: Owner): Promise<number> {
  await new Promise<void>((resolve) => {
    time.after(2 * network.vendorMs(), owner, resolve);
  });
  return Math.floor(time.now / 1_000) * 1_000;
}

function rootProbe(machine: Machine): MachineProbe {
  const failure = localFailure(CODES.ROOT_UNREADABLE, 'a file root cannot be read');
  return {
    explains: hasCode('ROOT_UNREADABLE', 'SOURCE_MISSING', 'SOURCE_UNREADABLE'),
    run: async () => {
      if (machine.unmounted) throw failure;
    },
    hanging: failure,
  };
}

function senderOf({ time, network, delivered, wire }: World, owner: Owner): WebhookSender {
  return {
    async post(_url, headers, body) {
      await new Promise<void>((resolve) => {
        time.after(4 * network.vendorMs(), owner, resolve);
      });
      const fails = network.chance(0.02);
      const { type, data } = JSON.parse(body) as { type: string; data: { id: string } };
      if (!fails) delivered.add(`${data.id} ${type}`);
      wire.log(owner, `webhook ${headers['webhook-id'] ?? ''} ${type} ${fails ? 500 : 200}`);
      return { status: fails ? 500 : 200, retryAfterMs: null };
    },
  };
}

type Facts = Readonly<Record<string, unknown>>;

/** The product's log lines, from `info` upwards. */
function logOf(world: World, owner: Owner, bound: Facts = {}): Logger {
  const line = (level: string) => (facts: Facts, text?: string) => {
    const known = Object.entries({ ...bound, ...facts }).filter(([, value]) => value !== undefined && value !== null);
    world.wire.log(
      owner,
      `${level} ${text ?? ''} ${known.map(([name, value]) => `${name}=${textOf(value)}`).join(' ')}`,
    );
  };
  const silent = () => undefined;
  const logger = {
    ...{
      trace: silent,
      debug: silent,
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      fatal: line('fatal'),
    },
    child: (more: Facts) => logOf(world, owner, { ...bound, ...more }),
  };
  return logger as unknown as Logger;
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
