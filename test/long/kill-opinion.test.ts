/**
 * Kills a worker process with `kill -9` while it asks for second opinions. Another worker must ask for them. Nothing is paid twice,
 * except an opinion whose call was under way when the worker died. No check is repeated.
 */
import { expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { type OpenWorker, withKillableWorkers } from '../support/killable-workers.ts';
import type { TestWorld } from '../support/world.ts';

const MANY = 3;
const SHIELD = 'DetectAIFakeFaces';
const ACTIONS = ['DetectReflectLivenessAndCompare', 'CompareFaceLiveness'] as const;
type Action = (typeof ACTIONS)[number];

/** A worker dies after the decision and before the frame is stored, or during the call. */
const HELD: Readonly<Record<'download' | 'call', Fault>> = {
  download: { kind: 'hold', times: null, service: 'cos', action: 'PutObject', object: 'frames/' },
  call: { kind: 'hold', times: null, action: SHIELD },
};

async function request(world: TestWorld, key: string, action: Action): Promise<VerificationRequest> {
  const bucket = world.config.buckets.get('ap-singapore') ?? '';
  const isVideo = action === 'CompareFaceLiveness';
  const place = (name: string) =>
    ({ from: 'cos', bucket, region: 'ap-singapore', key: `captures/${key}-${name}` }) as const;
  const live = { card: 'match', nonce: key };
  await world.control.putObject(bucket, `captures/${key}-live`, isVideo ? sampleVideo(live) : sampleLiveData(live));
  await world.control.putObject(bucket, `captures/${key}-image`, sampleImage(key));
  return {
    ...{ key, action, region: 'ap-singapore', secondOpinion: true },
    ...(isVideo ? { liveness: { type: 'SILENT' } as const } : { upload: 'own-bucket' as const }),
    resources: { [isVideo ? 'video' : 'liveData']: place('live'), image: place('image') },
    frame: { to: 'cos', bucket, region: 'ap-singapore', key: `frames/${key}.jpg` },
  };
}

it.concurrent.each([
  ['DetectReflectLivenessAndCompare', 'download'],
  ['DetectReflectLivenessAndCompare', 'call'],
  ['CompareFaceLiveness', 'call'],
] as const)('%s, killed in %s: another worker asks, and no check is repeated', (action, held) =>
  withKillableWorkers({}, (world, openWorker) => killIn(action, held, world, openWorker)),
);

async function killIn(
  action: Action,
  held: keyof typeof HELD,
  world: TestWorld,
  openWorker: OpenWorker,
): Promise<void> {
  await world.control.settings({ qps: { [action]: 1_000, [SHIELD]: 1_000 }, latencyMs: {} });
  const victim = await openWorker();
  const keys = Array.from({ length: MANY }, (_, index) => `${action}-${held}-${index}`);
  const requests = await Promise.all(keys.map((key) => request(world, key, action)));
  const ids = keys.map((key) => world.client.idOf(key));
  await world.control.fault(HELD[held]);
  await world.client.enqueueMany(requests);
  await world.control.waitFor({ event: 'held' }, MANY);
  for (const id of ids) expect(await world.client.get(id)).toMatchObject({ decision: 'match', next: 'wait' });
  victim.kill('SIGKILL');
  await victim.exited;
  await world.control.clearFaults();

  await openWorker();
  const isUnknown = held === 'call';
  for (const id of ids) {
    const view = await world.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({
      ...{ state: 'completed', decision: 'match', next: 'accept', frame: 'stored', paidCalls: 1, possiblyPaidCalls: 0 },
      secondOpinion: { status: 'passed', paidCalls: 1, possiblyPaidCalls: isUnknown ? 1 : 0 },
    });
  }
  expect(await world.control.calls({ action, billed: true })).toHaveLength(MANY);
  expect(await world.control.calls({ action: SHIELD, billed: true })).toHaveLength(isUnknown ? 2 * MANY : MANY);
}
