/** Restores a backup of Redis as docs/operations/backup.md says, with work before and after the backup. */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ProvidedRedis, startPrivateRedis } from '../../../src/dev/local-redis.ts';
import { binaryOf, type Server, startServer } from '../../support/redis-servers.ts';
import { createRig, HOME, type Rig } from '../../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const dir = join(HOME, `backup-${process.pid}`);
const restoredDir = join(dir, 'restored');

let server: Server;
let restored: ProvidedRedis | undefined;
let rig: Rig;

beforeAll(async () => {
  server = await startServer({ dir: join(dir, 'first') });
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${server.port}` } });
});
afterAll(async () => {
  await rig.dispose();
  await restored?.stop();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function enqueue(...names: string[]): Promise<string[]> {
  const requests = await Promise.all(
    names.map((name) => rig.request(name, { card: 'match' }, { lane: 'interactive' })),
  );
  const results = await rig.client.enqueueMany(requests);
  return results.map((result) => (result.status === 'refused' ? '' : result.id));
}

async function work(ids: readonly string[]): Promise<void> {
  const worker = await rig.openWorker();
  for (const id of ids) expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ decision: 'match' });
  await worker.stop(5_000);
}

it('what had ended stays ended, and what was paid after the backup is not paid again', {
  timeout: 120_000,
}, async () => {
  const ended = await enqueue('ended-1', 'ended-2');
  await work(ended);
  const waiting = await enqueue('waiting-1', 'waiting-2', 'waiting-3');

  // The backup.
  const before = await server.admin.lastsave();
  await expect.poll(async () => (await server.admin.time()).map(Number)[0] ?? 0).toBeGreaterThan(before);
  await server.admin.bgsave();
  await expect.poll(() => server.admin.lastsave()).toBeGreaterThan(before);
  await mkdir(restoredDir, { recursive: true });
  await copyFile(join(dir, 'first', 'dump.rdb'), join(restoredDir, 'dump.rdb'));

  // Work that the backup does not know.
  await work(waiting);
  const [late = ''] = await enqueue('late');
  expect(await rig.control.calls({ action: DETECT })).toHaveLength(5);

  // The loss, and the restore under the same address.
  await server.kill();
  const binary = await binaryOf('redis-server');
  restored = await startPrivateRedis({ binary, dir: restoredDir, appendonly: false, port: server.port });
  await expect.poll(() => rig.redis.ping().catch(() => 'away')).toBe('PONG');
  await rig.redis.config('SET', 'appendonly', 'yes');

  for (const id of ended) expect(await rig.client.get(id)).toMatchObject({ state: 'completed', decision: 'match' });
  await work(waiting);
  const calls = await rig.control.calls({ action: DETECT });
  expect(calls).toHaveLength(5);
  // The decisions came from the receipts beside the frames.
  const adopted = (await Promise.all(waiting.map((id) => rig.client.get(id)))).filter((view) =>
    view?.history.some(({ event }) => event === 'adopted'),
  );
  expect(adopted.map((view) => view?.id).sort()).toEqual([...waiting].sort());

  // What was enqueued after the backup is unknown. The caller sends it again under its key.
  expect(await rig.client.get(late)).toBeNull();
  expect(await enqueue('late')).toEqual([late]);
  await work([late]);
});
