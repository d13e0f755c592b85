/** Tests the secret from which a deployment computes its ids: Redis keeps only a check value, and no other secret is accepted. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openClient } from '../../src/app/client.ts';
import { readConfig } from '../../src/app/config.ts';
import { BestframeClient } from '../../src/client/redis/client.ts';
import { createRig, type Rig } from '../support/rig.ts';

const SECRET = 'q8m2Wn5xT0bJ4yRzLk7HcVfUe1oGsAdP';
const OTHER = { BESTFRAME_NAMESPACE: 'hG3sKz9vXw2LqMpR6tYcJd8NfBa5Ue1o' };

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_NAMESPACE: SECRET }, emulator: { qps: {} } });
  await rig.openWorker();
  await rig.openErase();
});
afterAll(() => rig.dispose());

/** Enqueues a verification and waits for its end. @returns the id */
async function verified(key: string): Promise<string> {
  const { id } = await rig.client.enqueue(await rig.request(key));
  await rig.client.wait(id, { until: 'ended' });
  return id;
}

it('a process with another secret refuses to start, and a client with another secret enqueues nothing', async () => {
  const id = await verified('kept');
  const request = await rig.request('strange');
  const refusal = { code: 'NAMESPACE_MISMATCH', field: 'BESTFRAME_NAMESPACE' };
  await expect(rig.openWorker(OTHER)).rejects.toMatchObject(refusal);
  await expect(rig.openApi(OTHER)).rejects.toMatchObject({ code: 'NAMESPACE_MISMATCH' });
  const stranger = openClient(readConfig({ ...rig.env, ...OTHER }));
  try {
    const ofClient = { code: 'NAMESPACE_MISMATCH', field: 'namespace' };
    await expect(stranger.enqueue(request)).rejects.toMatchObject(ofClient);
    await expect(stranger.getByKey('kept')).rejects.toMatchObject(ofClient);
    await expect(stranger.bySubject('kept')).rejects.toMatchObject(ofClient);
    expect(await stranger.get(id)).toMatchObject({ id, key: 'kept' }); // an id needs no secret
  } finally {
    await stranger.close();
  }
});

it('a client without the secret reads by id, and enqueues nothing', async () => {
  const client = new BestframeClient({ redis: rig.config.redis, prefix: rig.config.prefix });
  try {
    expect(await client.get(await verified('read'))).toMatchObject({ key: 'read' });
    const refusal = { code: 'INVALID_SETTINGS', field: 'namespace' };
    await expect(client.enqueue(await rig.request('unkeyed'))).rejects.toMatchObject(refusal);
    expect(() => client.idOf('kept')).toThrow(/namespace is missing/);
  } finally {
    await client.close();
  }
});

it('Redis never contains the secret', async () => {
  await verified('secret');
  for (const key of await rig.redis.keys(`${rig.config.prefix}*`)) {
    const dump = await rig.redis.dumpBuffer(key);
    expect(dump?.includes(SECRET) ?? false).toBe(false);
  }
});

it('ids, and with them receipts, are the same after Redis was wiped', async () => {
  const before = await verified('wiped');
  for (const key of await rig.redis.keys(`${rig.config.prefix}:*`)) await rig.redis.del(key);
  const fresh = openClient(rig.config);
  try {
    expect(fresh.idOf('wiped')).toBe(before);
    const { id } = await fresh.enqueue(await rig.request('wiped'));
    expect(id).toBe(before);
    const view = await fresh.wait(id, { until: 'ended' });
    expect(view).toMatchObject({ decision: 'match', frame: 'stored', paidCalls: 1 });
    expect(view?.history.map(({ event }) => event)).toContain('adopted'); // read from the receipt, not paid again
  } finally {
    await fresh.close();
  }
});
