/** The health of this process, and its monitor port. */
import type { Logger } from 'pino';
import { collectDefaultMetrics, Gauge } from 'prom-client';
import type { RedisProbe } from '../redis/probe.ts';
import { startMonitor } from '../server/monitor.ts';
import type { Config } from './config.ts';
import type { ProcessMetrics } from './process-metrics.ts';
import type { Running } from './running.ts';
import { writeMetrics } from './write-metrics.ts';

export interface ProcessMonitor {
  /** Address of the monitor port; null if there is none. */
  readonly url: string | null;
  started(running: readonly Running[]): void;
  draining(): void;
  close(): Promise<void>;
}

/** The caller closes the probe. @throws Failure INVALID_SETTINGS if the monitor port cannot be used */
export async function openMonitor(
  { monitor: { host, port } }: Pick<Config, 'monitor'>,
  { registry, log, probe }: { registry: ProcessMetrics['registry']; log: Logger; probe: RedisProbe },
): Promise<ProcessMonitor> {
  let phase: 'starting' | 'running' | 'draining' = 'starting';
  let services: readonly Running[] = [];
  if (port === undefined) {
    return { url: null, started: () => undefined, draining: () => undefined, close: async () => undefined };
  }
  const reasonsFor = (redisTrouble: string | null) => {
    if (phase !== 'running') return [phase === 'starting' ? 'the process is starting' : 'the process is draining'];
    const troubles = [redisTrouble, ...services.map(({ trouble }) => trouble?.() ?? null)];
    return troubles.filter((trouble) => trouble !== null);
  };
  const notReady = async () => reasonsFor(phase === 'running' ? await probe.run() : null);
  collectDefaultMetrics({ register: registry });
  const help = '1 if the process takes work, 0 if it does not: /readyz says why';
  const ready = new Gauge({ name: 'bestframe_process_ready', help, registers: [registry] });
  const redisUsable = new Gauge({
    name: 'bestframe_redis_usable',
    help: '1 if Redis takes a write and answers a read of this process within 2 s',
    registers: [registry],
  });
  const metrics = async (accept: string) => {
    const redisTrouble = await probe.run();
    ready.set(reasonsFor(redisTrouble).length === 0 ? 1 : 0);
    redisUsable.set(redisTrouble === null ? 1 : 0);
    const asked = redisTrouble === null ? services : []; // without Redis, the answer would take longer than a scrape may
    const read = await Promise.all(asked.map(({ deploymentMetrics }) => deploymentMetrics?.().catch(() => undefined)));
    return writeMetrics([registry, ...read.filter((each) => each !== undefined)], accept);
  };
  const monitor = await startMonitor({ host, port, notReady, metrics });
  log.info({ event: 'monitor_ready', address: monitor.url }, `monitor port at ${monitor.url}`);
  return {
    url: monitor.url,
    started: (running) => {
      services = running;
      phase = 'running';
    },
    draining: () => {
      phase = 'draining';
    },
    close: () => monitor.close(),
  };
}
