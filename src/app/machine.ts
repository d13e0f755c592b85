/** The health checks of this machine: which probes run with these settings, and how a fault is shown to operators. */
import { hostname, tmpdir } from 'node:os';
import type { Logger } from 'pino';
import type { Transport } from '../adapters/http/transport.ts';
import { folderUnwritable, probeWritable, RootProbe, rootUnreadable } from '../adapters/storage/index.ts';
import { Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES, classify } from '../domain/errors/index.ts';
import type { Slots } from '../domain/operations/workers.ts';
import type { Region } from '../domain/verification/regions.ts';
import { VERSION } from '../domain/version.ts';
import { hasCode, Machine, type MachineProbe } from '../pipeline/machine.ts';
import { readClock } from '../redis/clock.ts';
import type { Deployment } from '../redis/deployment.ts';
import { endBeat, writeBeat } from '../redis/workers.ts';
import type { Config } from './config.ts';

/** How far the clock may be off. Some signed links are valid for only 15 s, and BullMQ counts delays by local clocks. */
const MAX_SKEW_MS = 10_000;
/** The Date header in Tencent's answers has whole seconds, so the Date may be off by this much. */
const DATE_PRECISION_MS = 1_000;

let opened = 0;

/** Host name and process id. If a process runs several workers, each one after the first also has a number. */
function workerName(): string {
  opened += 1;
  return `${hostname()}:${process.pid}${opened === 1 ? '' : `/${opened}`}`;
}

/** The work of a process, for its heartbeats. */
interface Work {
  /** The regions that it serves. */
  readonly regions: readonly Region[];
  readonly slots: () => Slots;
}

export interface OpenMachine {
  readonly machine: Machine;
  /**
   * Sets the work that heartbeats report. If it has a region, resolves after the first such heartbeat; if that heartbeat fails, the
   * failure is only logged.
   */
  serve(work: Work): Promise<void>;
  close(): Promise<void>;
}

/** @param transport the transport that verifications use to reach Tencent, so that probes take the same route. */
export function openMachine(
  config: Config,
  { deployment, transport, log: parent }: { deployment: Deployment; transport: Transport; log: Logger },
): OpenMachine {
  const worker = workerName();
  const log = parent.child({ host: hostname(), worker });
  const probes = [
    clockProbe(deployment, () => vendorDate(transport, config.endpoint)),
    trustProbe(() => vendorDate(transport, config.endpoint)),
    rootsProbe(config.fileRoots),
    folderProbe(config.spoolDir ?? tmpdir(), 'spool'),
    folderProbe(config.framesDir, 'frames'),
  ];
  return createMachine({ worker, regions: config.regions, deployment, probes, log });
}

/** A machine that reports its state in the heartbeats of `worker`. */
export function createMachine({
  worker,
  regions,
  deployment,
  probes,
  log,
}: {
  worker: string;
  regions: readonly Region[];
  deployment: Deployment;
  probes: readonly MachineProbe[];
  log: Logger;
}): OpenMachine {
  let work: Work = { regions: [], slots: () => ({ used: 0, of: 0 }) };
  const machine = new Machine({
    probes,
    log,
    report: (fault, since) => {
      const state = { regions, code: fault?.code ?? null, since, version: VERSION, slots: work.slots() };
      return writeBeat(deployment, { worker, ...state, served: work.regions });
    },
  });
  return {
    machine,
    serve: async (now) => {
      work = now;
      if (now.regions.length > 0) await machine.report();
    },
    close: async () => {
      await machine.stop();
      await endBeat(deployment, worker);
    },
  };
}

function rootsProbe(roots: readonly string[]): MachineProbe {
  const probe = new RootProbe(roots);
  return {
    // SOURCE_MISSING is included because a missing file may mean that its folder is no longer mounted.
    explains: hasCode('ROOT_UNREADABLE', 'SOURCE_MISSING', 'SOURCE_UNREADABLE'),
    run: () => probe.run(),
    hanging: rootUnreadable('no answer'),
  };
}

function folderProbe(dir: string, kind: 'spool' | 'frames'): MachineProbe {
  const codes = { spool: ['SPOOL_FULL', 'SPOOL_UNWRITABLE'], frames: ['SINK_FULL', 'SINK_UNWRITABLE'] } as const;
  return {
    explains: hasCode(...codes[kind]),
    run: () => probeWritable(dir, kind),
    hanging: folderUnwritable(kind, 'no answer'),
  };
}

/**
 * Compares the local clock with Redis's, which all machines share. If the two differ, Tencent's clock shows which one is wrong.
 *
 * @param vendor reads Tencent's clock, ms since 1970.
 */
export function clockProbe(deployment: Deployment, vendor: () => Promise<number>): MachineProbe {
  return {
    // Vendors have many codes for a signature with a wrong time, so every `account` failure may be caused by a wrong clock.
    explains: (failure) =>
      hasCode('CLOCK_OFF', 'LINK_UNREADABLE')(failure) ||
      (classify(failure).class === 'account' && (failure.service === 'faceid' || failure.service === 'cos')),
    async run() {
      const askedAt = Date.now();
      const redis = await readClock(deployment);
      const skewMs = Math.abs((askedAt + Date.now()) / 2 - redis);
      if (skewMs <= MAX_SKEW_MS) return;
      const right = await vendor().catch(() => null); // if Tencent is unreachable, Redis's clock counts as right
      if (right !== null && Math.abs(Date.now() - right) <= MAX_SKEW_MS + DATE_PRECISION_MS) return;
      throw clockOff(Math.round(skewMs / 1_000));
    },
    hanging: localFailure(CODES.CLOCK_OFF, 'this machine’s clock could not be compared with Redis’s: no answer'),
  };
}

/** Checks TLS to Tencent. Runs only after a TLS failure with some host: if TLS to Tencent works, only that host is at fault. */
function trustProbe(vendor: () => Promise<number>): MachineProbe {
  return {
    explains: hasCode('CA_UNTRUSTED', 'TLS_FAILED'),
    async run(suspected) {
      if (!suspected) return;
      try {
        await vendor();
      } catch (error) {
        if (error instanceof Failure && error.code === CODES.TLS_FAILED) throw untrusted(error);
      }
    },
    hanging: untrusted(),
  };
}

/** Sends Tencent a request that costs nothing and needs no credentials. @returns the time in the answer's Date, ms since 1970. */
async function vendorDate(transport: Transport, endpoint: string): Promise<number> {
  const signal = AbortSignal.timeout(3_000);
  const response = await transport.request({ method: 'GET', url: `https://${endpoint}/`, purpose: 'link', signal });
  await response.dump();
  const date = Date.parse(response.header('date') ?? '');
  if (Number.isNaN(date)) throw localFailure(CODES.MALFORMED_REPLY, 'Tencent’s answer has no Date');
  return date;
}

function clockOff(seconds: number): Failure {
  const message = `this machine’s clock is ${seconds} s off: synchronize it with NTP`;
  return localFailure(CODES.CLOCK_OFF, message);
}

function untrusted(cause?: unknown): Failure {
  const message = 'this machine does not trust Tencent’s certificate: check BESTFRAME_CA_FILE and the proxy';
  return localFailure(CODES.CA_UNTRUSTED, message, { cause });
}
