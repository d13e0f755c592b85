/**
 * What the bytes of large files cost. Memory: the emulator holds 50 uploads of 8 MB before it reads them, and the peak of the worker's
 * resident memory, until all 50 have ended, is compared with that of the idle worker. CPU: the adapters put files of 8 MB, compared with
 * a plain `undici` PUT and MD5 of the same files, and with a plain PUT that makes the same checks, alternately and each in its own process.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchEnvironment } from '../environment.ts';
import { type Figure, median, repeat } from '../figure.ts';
import { type Program, startProgram } from '../program.ts';
import type { PutAnswer, PutRequest } from '../put.ts';
import { startVendorWorld, type VendorWorld } from '../vendor-world.ts';

const MANY = 50;
const BYTES = 8_000_000;
/** Files of one request to each program, and how many are put at a time. */
const BATCH = 8;
const CONCURRENCY = 4;
const HELD_MS = 120_000;
/** After the warm-up, the worker gives memory back, and ends what it began. */
const SETTLE_MS = 1_000;

export const bytes: Figure = {
  name: 'bytes',
  about: `${MANY} uploads of ${BYTES / 1e6} MB at a time; CPU per MB of an upload, compared with a plain PUT and MD5`,
  values: [
    { name: 'memory over idle', unit: 'MB', goal: { atMost: 80 } },
    { name: 'memory, idle', unit: 'MB' },
    { name: 'CPU per MB', unit: '×', goal: { atMost: 1.1 } },
    { name: 'CPU per MB, compared with the same checks', unit: '×' },
    { name: 'CPU per MB of the adapters', unit: 'ms' },
    { name: 'CPU per MB of the plain PUT', unit: 'ms' },
    { name: 'CPU per MB of the plain PUT with the same checks', unit: 'ms' },
  ],
  seconds: { usual: 1, quick: 1 },
  measure,
};

async function measure(environment: BenchEnvironment, seconds: number) {
  const world = await startVendorWorld(environment, { name: 'bytes', detectMs: 0, slots: MANY });
  try {
    return { ...(await measureMemory(world)), ...(await measureCpu(world, environment, seconds)) };
  } finally {
    await world.stop();
  }
}

async function measureMemory(world: VendorWorld): Promise<Record<string, number>> {
  if (process.platform !== 'linux') return {};
  const { pid } = world.worker;
  await world.verify(await world.writeFiles(1, BYTES)); // loads code, and opens connections
  await pause(SETTLE_MS);
  const idle = await memoryMb(pid, 'VmRSS');
  await writeFile(`/proc/${pid}/clear_refs`, '5'); // resets the peak
  const files = await world.writeFiles(MANY, BYTES);
  const fault = { kind: 'hold', action: 'PutObject', times: null } as const;
  const before = await world.control.calls({ event: 'held' });
  const hold = await world.control.fault(fault);
  const ended = world.verify(files);
  // The photos are held too.
  const allHeld = world.control.waitFor({ event: 'held' }, before.length + 2 * MANY, HELD_MS);
  await Promise.race([allHeld, ended]);
  await world.control.release(hold);
  await ended;
  return { 'memory over idle': (await memoryMb(pid, 'VmHWM')) - idle, 'memory, idle': idle };
}

/** @returns MB */
async function memoryMb(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1_024) / 1e6;
}

async function measureCpu(world: VendorWorld, { build }: BenchEnvironment, seconds: number) {
  const env = { ...world.env, DIST: resolve(build.workersDir, '..') };
  const ways = ['bestframe', 'plain', 'checked'] as const;
  const programs = new Map<PutRequest['way'], Program<string, PutRequest, PutAnswer>>();
  try {
    for (const way of ways) programs.set(way, await startProgram<string, PutRequest, PutAnswer>('put', env));
    const paths = (await world.writeFiles(BATCH, BYTES)).map(({ liveData }) => liveData);
    const rounds = await repeat({ warm: 1, least: 2, seconds }, async (reversed) => {
      const took = { bestframe: 0, plain: 0, checked: 0 };
      for (const way of reversed ? ways.toReversed() : ways) {
        const ms = (await programs.get(way)?.request({ way, paths, concurrency: CONCURRENCY })) ?? Number.NaN;
        took[way] = ms / ((BATCH * BYTES) / 1e6);
      }
      return took;
    });
    const medianOf = (pick: (round: (typeof rounds)[number]) => number) => median(rounds.map(pick));
    return {
      'CPU per MB': medianOf(({ bestframe, plain }) => bestframe / plain),
      'CPU per MB, compared with the same checks': medianOf(({ bestframe, checked }) => bestframe / checked),
      'CPU per MB of the adapters': medianOf(({ bestframe }) => bestframe),
      'CPU per MB of the plain PUT': medianOf(({ plain }) => plain),
      'CPU per MB of the plain PUT with the same checks': medianOf(({ checked }) => checked),
    };
  } finally {
    for (const program of programs.values()) await program.stop();
  }
}
