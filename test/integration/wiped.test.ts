/** Redis was lost: what was decided and whose frame is stored is not paid for again; everything else is. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_REUSED_LIVE_DATA: 'warn' },
    emulator: { qps: {} },
  });
});
afterAll(() => rig.dispose());

async function wipe() {
  const keys = await rig.redis.keys(`${rig.config.prefix}*`);
  if (keys.length > 0) await rig.redis.del(...keys);
}

async function through(request: VerificationRequest) {
  const worker = await rig.openWorker();
  const { id } = await rig.client.enqueue(request);
  const view = await rig.client.wait(id, { until: 'ended' });
  await worker.stop(5_000);
  if (view === null) throw new Error('lost');
  return { id, view, paid: await rig.control.calls({ action: DETECT, object: id, billed: true }) };
}

it.each(['file', 'cos'] as const)('with its frame in a %s, the receipt beside it decides', async (to) => {
  const cos = { to, bucket: rig.bucket, region: 'ap-singapore', key: 'frames/1.jpg' } as const;
  const request = await rig.request(`wiped-${to}`, { card: 'match' }, to === 'cos' ? { frame: cos as never } : {});
  const first = await through(request);
  await wipe();
  expect(await rig.client.known([request.key])).toEqual(['missing']);
  const again = await through(request);
  expect(again.paid).toHaveLength(1);
  expect(again.view).toMatchObject({
    state: 'completed',
    next: 'accept',
    decision: 'match',
    decidedBy: 'vendor',
    frame: 'stored',
    bestFrame: first.view.bestFrame,
    similarity: first.view.similarity,
    paidCalls: 0,
    requestIds: expect.arrayContaining([first.paid[0]?.requestId]),
  });
  expect(again.view.history.map(({ event, stage }) => [event, stage])).toEqual([
    ['adopted', 'detect'],
    ['done', 'download'],
  ]);
  const puts = await rig.control.calls({ service: 'cos', action: 'PutObject', object: again.id });
  expect(puts).toHaveLength(2); // of the first life
});

it.each<[string, (path: string) => Promise<void>]>([
  ['the frame is gone', (path) => rm(path)],
  ['the frame is another one', (path) => writeFile(path, 'another')],
  [
    'somebody wrote a decision into the receipt',
    async (path) => {
      const receipt = `${path}.receipt.json`;
      const text = await readFile(receipt, 'utf8');
      await writeFile(receipt, text.replace('"no_match"', '"match"'));
    },
  ],
])('it counts for nothing where %s', async (_what, spoil) => {
  const request = await rig.request(`spoilt-${_what.replaceAll(' ', '-')}`, { card: 'lowSimilarity' });
  const { view } = await through(request);
  await spoil(view.bestFrame?.path ?? '');
  await wipe();
  const again = await through(request);
  expect(again.paid).toHaveLength(2);
  expect(again.view).toMatchObject({ state: 'completed', decision: 'no_match', paidCalls: 1 });
});

it('nor where the same key asks for something else, or in another mode', async () => {
  const request = await rig.request('payload');
  await through(request);
  await wipe();
  const other = await through({ ...request, similarityThreshold: 99 });
  expect(other.paid).toHaveLength(2);
  expect(other.view).toMatchObject({ decision: 'no_match', paidCalls: 1 });
});
