/**
 * Kills a worker process with `kill -9`, once for each of the four stages. The emulator holds the calls of the stage, so that the
 * worker dies while its verifications are exactly in that stage. Another worker must then finish all verifications without
 * uploading or paying twice.
 */
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/emulator/control.ts';
import { inForm } from '../support/forms.ts';
import { type OpenWorker, withKillableWorkers } from '../support/killable-workers.ts';
import type { TestWorld } from '../support/world.ts';

const MANY = 4;
const DETECT = 'DetectReflectLivenessAndCompare';
const FRAMES = 'faceid-result';
type Way = 'own-bucket' | 'create-upload-url';

const SETTINGS = { BESTFRAME_QPS_DETECT: '100', BESTFRAME_QPS_UPLOAD_URL: '100' };

/** Returns the fault that holds a stage's vendor call. Stage `md5` is the preflight, which reads a byte of each object. */
function callIn(stage: string, upload: Way, id: string): Fault {
  const own = upload === 'own-bucket' ? { object: id } : { object: 'faceid-resource' };
  const all = { kind: 'hold', times: null } as const;
  switch (stage) {
    case 'upload':
      return { ...all, service: 'cos', action: 'PutObject', ...own };
    case 'md5':
      return { ...all, service: 'cos', action: 'GetObject', ...own };
    case 'detect':
      return { ...all, action: DETECT };
    default:
      return { ...all, service: 'cos', action: 'GetObject', object: FRAMES };
  }
}

const STAGES = ['upload', 'md5', 'detect', 'download'];
/** The short form kills in each stage once, and each upload method twice. */
const KILLS = inForm<readonly [Way, readonly string[]][]>({
  short: [
    ['own-bucket', ['upload', 'detect']],
    ['create-upload-url', ['md5', 'download']],
  ],
  long: [
    ['own-bucket', STAGES],
    ['create-upload-url', STAGES],
  ],
});

describe.each(KILLS)('with upload %s', (upload, stages) => {
  it.concurrent.each(stages)('if killed in %s, all finish and nothing repeats', (stage) =>
    withKillableWorkers(SETTINGS, (world, openWorker) => killIn(stage, upload, world, openWorker)),
  );
});

async function killIn(stage: string, upload: Way, world: TestWorld, openWorker: OpenWorker): Promise<void> {
  await world.control.settings({ qps: { [DETECT]: 1_000, CreateUploadUrl: 1_000 }, latencyMs: {} });
  const victim = await openWorker();
  const key = `kill-${stage}-${upload}`;
  const holds: string[] = [];
  const requests = await Promise.all(
    Array.from({ length: MANY }, (_, index) =>
      world.request(`${key}-${index}`, { card: 'match' }, { upload, lane: 'interactive' }),
    ),
  );
  const ids = requests.map((request) => world.client.idOf(request.key));
  // The URLs of uploads and preflights in our own bucket contain the id, so each id needs its own hold. In all other cases one
  // hold applies to all calls.
  for (const id of upload === 'own-bucket' && (stage === 'upload' || stage === 'md5') ? ids : ['']) {
    holds.push(await world.control.fault(callIn(stage, upload, id)));
  }
  await world.client.enqueueMany(requests);
  // In upload and md5, both resources are transferred at once, so two calls per verification are held. The other
  // stages make one call.
  await world.control.waitFor({ event: 'held' }, stage === 'upload' || stage === 'md5' ? 2 * MANY : MANY);
  const uploadedBefore = await commitsOf(world, ids, 'upload');
  const decidedBefore = await commitsOf(world, ids, 'detect');
  victim.kill('SIGKILL');
  await victim.exited;
  for (const hold of holds) await world.control.release(hold);

  await openWorker();
  for (const id of ids) {
    const view = await world.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'match', frame: 'stored' });
    const billed = await world.control.calls({
      action: DETECT,
      billed: true,
      ...(upload === 'own-bucket' ? { object: id } : {}),
    });
    if (upload === 'own-bucket') expect(billed.length).toBeLessThanOrEqual(stage === 'detect' ? 2 : 1);
    expect(view?.paidCalls).toBe(1);
    // The worker died during this call, so its outcome is unknown and it counts as possibly paid.
    expect(view?.possiblyPaidCalls).toBe(stage === 'detect' ? 1 : 0);
  }
  const allBilled = await world.control.calls({ action: DETECT, billed: true });
  expect(allBilled.length).toBe(stage === 'detect' ? 2 * MANY : MANY);
  // Uploads that the journal records are not repeated. Other uploads are repeated once, under the same key.
  expect(uploadedBefore).toBe(stage === 'upload' ? 0 : MANY);
  expect(decidedBefore).toBe(stage === 'download' ? MANY : 0);
  const puts = await world.control.calls({ service: 'cos', action: 'PutObject', code: 'OK' });
  const objects = new Set(puts.map((put) => put.objects?.[0]));
  if (stage !== 'upload') expect(puts).toHaveLength(2 * MANY);
  if (upload === 'own-bucket' || stage !== 'upload') expect(objects.size).toBe(2 * MANY);
}

async function commitsOf(world: TestWorld, ids: readonly string[], stage: string): Promise<number> {
  const views = await Promise.all(ids.map((id) => world.client.get(id)));
  return views.filter((view) => view?.history.some((entry) => entry.stage === stage && entry.event === 'done')).length;
}
