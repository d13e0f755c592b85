/**
 * Kills a worker process with `kill -9` in each stage of a verification whose call carries its files. Another worker must finish all
 * of them. Nothing is paid twice, except a call that was under way when the worker died. No frame is lost.
 */
import { expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { sampleImage, sampleVideo } from '../../src/emulator/samples.ts';
import { type OpenWorker, withKillableWorkers } from '../support/killable-workers.ts';
import type { TestWorld } from '../support/world.ts';

const MANY = 4;
const COMPARE = 'CompareFaceLiveness';
type Stage = 'read' | 'md5' | 'detect' | 'download';

const READ: Fault = { kind: 'hold', times: null, service: 'cos', action: 'GetObject' };
/**
 * The call that is held, and how often it passes before. Sources in COS are read to check them (read), to write the body of the call
 * (md5), and to send it (detect).
 */
const HELD: Readonly<Record<Stage, { readonly fault: Fault; readonly calls: number; readonly passes: number }>> = {
  read: { fault: READ, calls: 2, passes: 0 },
  md5: { fault: READ, calls: 2, passes: 1 },
  detect: { fault: { kind: 'hold', times: null, action: COMPARE }, calls: 1, passes: 0 },
  download: { fault: { kind: 'hold', times: null, service: 'cos', action: 'PutObject' }, calls: 1, passes: 0 },
};

async function request(world: TestWorld, key: string, stage: Stage): Promise<VerificationRequest> {
  const bucket = world.config.buckets.get('ap-singapore') ?? '';
  const place = (name: string) =>
    ({ from: 'cos', bucket, region: 'ap-singapore', key: `captures/${key}-${name}` }) as const;
  await world.control.putObject(bucket, `captures/${key}-video`, sampleVideo({ card: 'match', nonce: key }));
  await world.control.putObject(bucket, `captures/${key}-image`, sampleImage(key));
  const frame = { to: 'cos', bucket, region: 'ap-singapore', key: `frames/${key}.jpg` } as const;
  return {
    ...{ key, action: COMPARE, region: 'ap-singapore', lane: 'interactive', liveness: { type: 'SILENT' } },
    resources: { video: place('video'), image: place('image') },
    ...(stage === 'download' ? { frame } : {}),
  };
}

it.concurrent.each(['read', 'md5', 'detect', 'download'] as const)(
  'if killed in %s, all finish and nothing repeats',
  (stage) => withKillableWorkers({}, (world, openWorker) => killIn(stage, world, openWorker)),
);

async function killIn(stage: Stage, world: TestWorld, openWorker: OpenWorker): Promise<void> {
  await world.control.settings({ qps: { [COMPARE]: 1_000 }, latencyMs: {} });
  const victim = await openWorker();
  const requests = await Promise.all(
    Array.from({ length: MANY }, (_, index) => request(world, `${stage}-${index}`, stage)),
  );
  const ids = requests.map(({ key }) => world.client.idOf(key));
  const { fault, calls, passes } = HELD[stage];
  const holds: string[] = [];
  for (let each = 0; each <= passes; each += 1) holds.push(await world.control.fault(fault));
  await world.client.enqueueMany(requests);
  for (let pass = 1; pass <= passes; pass += 1) {
    await world.control.waitFor({ event: 'held' }, pass * calls * MANY);
    await world.control.release(holds.shift() ?? '');
  }
  await world.control.waitFor({ event: 'held' }, (passes + 1) * calls * MANY);
  for (const id of ids) expect(await world.client.get(id)).toMatchObject({ decision: null });
  victim.kill('SIGKILL');
  await victim.exited;
  await world.control.clearFaults();

  await openWorker();
  // In download, the frame was being stored: the answer is recorded only after it, so it died with the worker.
  const isUnknown = stage === 'detect' || stage === 'download';
  for (const id of ids) {
    const view = await world.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored', paidCalls: 1 });
    expect(view?.possiblyPaidCalls).toBe(isUnknown ? 1 : 0);
  }
  const billed = await world.control.calls({ action: COMPARE, billed: true });
  expect(billed).toHaveLength(isUnknown ? 2 * MANY : MANY);
}
