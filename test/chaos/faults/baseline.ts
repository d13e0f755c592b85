/**
 * These faults show whether harm accumulates. After much work, a worker must not hold more memory and descriptors than after
 * little work. A bad job must hardly slow the other jobs down.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../fault.ts';
import type { Hook } from '../fleet.ts';
import type { ChaosWorld } from '../world.ts';

const WARM = 150;
const ROUND = 150;
const ROUNDS = 5;
/**
 * How much more memory a worker may use after much work than after little, in MB. Not 0, because the garbage collector may not
 * have run yet.
 */
const MOST_MB = 40;

interface Holdings {
  readonly descriptors: number;
  readonly mb: number;
}

export const baseline: Fault = {
  name: 'baseline',
  summary:
    'one worker handles 900 verifications: its descriptors and memory must stay at the level after the first 150',
  long: true,
  async run(world) {
    const worker = await world.fleet.start([], { nodeArgs: ['--max-semi-space-size=1'] });
    const after = async (count: number) => {
      await world.produce(count);
      await world.untilSettled();
      return holdings(worker.pid);
    };
    const warm = await after(WARM);
    let last = warm;
    for (let round = 0; round < ROUNDS; round += 1) last = await after(ROUND);
    if (last.descriptors > warm.descriptors + 4)
      world.findings.push({
        invariant: 'I13',
        message: `descriptors grew from ${warm.descriptors} to ${last.descriptors}`,
      });
    if (last.mb > warm.mb + MOST_MB)
      world.findings.push({ invariant: 'I13', message: `memory grew from ${warm.mb} to ${last.mb} MB` });
  },
};

async function holdings(pid: number): Promise<Holdings> {
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return { descriptors, mb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024) };
}

const QPS = 5;
const WINDOW_MS = 60_000;
const LEAST_SHARE = 0.9;

export const besidePoison: Fault = {
  name: 'beside-poison',
  summary: 'at the vendor’s default rate, one verification kills its workers: the others must keep 90 % of their calls',
  long: true,
  world: () => ({ settings: { BESTFRAME_QPS_DETECT: String(QPS) }, settleMs: 400_000 }),
  async run(world) {
    await world.control.settings({ qps: { DetectReflectLivenessAndCompare: QPS } });
    world.saturated = true;
    const deadline = new Date(Date.now() + 3_600_000).toISOString();
    const made = await world.request({ lane: 'interactive', more: { deadline } });
    const hooks: Hook[] = [
      { at: 'edge:sources.open:before', nth: 'each', act: 'exit', id: world.client.idOf(made.request.key) },
    ];
    let ended = false;
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const supervised = async () => {
      while (!ended) {
        const worker = await world.fleet.start(hooks);
        await Promise.race([worker.exited, over]);
      }
    };
    const fleet = [supervised(), supervised(), supervised()];
    await world.produce((2.5 * QPS * WINDOW_MS) / 1_000, { lane: 'batch' });
    const without = await callsIn(world, WINDOW_MS);
    await world.enqueue(made);
    const beside = await callsIn(world, WINDOW_MS);
    await world.untilSettled();
    ended = true;
    end();
    await Promise.all(fleet);
    if (beside < LEAST_SHARE * without)
      world.findings.push({
        invariant: 'I11',
        message: `${beside} calls with a poison verification, ${without} without`,
      });
  },
};

async function callsIn(world: ChaosWorld, ms: number): Promise<number> {
  const billed = async () => (await world.control.calls({ action: 'DetectReflectLivenessAndCompare' })).length;
  const before = await billed();
  await sleep(ms); // the measured period
  return (await billed()) - before;
}
