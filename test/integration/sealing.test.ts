/**
 * Tests that, if a key ring is set, Redis never contains the caller's data in clear text, even while keys rotate under running
 * workers and clients.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openClient } from '../../src/app/client.ts';
import { readConfig } from '../../src/app/config.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const CANARY = 'maria-lopez';
const key = () => randomBytes(32).toString('base64');
const [OLD, NEW] = [key(), key()];
const RING = `k1:${OLD}`;

let rig: Rig;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_QPS_UPLOAD_URL: '200',
    BESTFRAME_KEY_RING: RING,
    BESTFRAME_LEASE_MS: '2000',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

const PERSONAL = {
  metadata: { customer: CANARY },
  subject: CANARY,
  purpose: CANARY,
  consent: { ref: CANARY, version: CANARY, at: '2026-01-01T00:00:00Z' },
} as const;

/** A frame whose name no other verification has. */
const frameOf = (name: string) => ({ to: 'file', name: `${CANARY}-${name}.jpg` }) as const;

// One story: what is in Redis grows from test to test, and in the end the keys rotate.
describe('in this order', { shuffle: false }, () => {
  it.each(['own-bucket', 'create-upload-url'] as const)(
    'by %s: names, paths, links, metadata and consent are never in clear text, during a verification and after its end',
    async (upload) => {
      const worker = await rig.openWorker();
      const name = `${CANARY}-${upload}`;
      const hold = await rig.control.fault({ kind: 'hold', action: DETECT });
      const { id } = await rig.client.enqueue(
        await rig.request(name, { card: 'match' }, { ...PERSONAL, upload, frame: frameOf(upload) }),
      );
      await rig.control.waitFor({ event: 'held' }, upload === 'own-bucket' ? 1 : 2);
      const during = await allText(rig.redis, rig.config.prefix);
      await rig.control.release(hold);
      const view = await rig.client.wait(id, { until: 'ended' });
      expect(view).toMatchObject({ state: 'completed', key: name, metadata: PERSONAL.metadata, purpose: CANARY });
      expect(view?.bestFrame?.path).toContain(`${CANARY}-${upload}.jpg`);
      expect(view?.history.map(({ stage }) => stage)).toEqual(['upload', 'md5', 'detect', 'download']);
      await worker.stop(5_000);
      const after = await allText(rig.redis, rig.config.prefix);
      for (const text of [during, after]) {
        expect(text).toContain(id);
        expect(text).not.toContain(CANARY);
        expect(text).not.toMatch(/q-sign|myqcloud/);
      }
    },
  );

  it('shows where entries of the history were swapped, repeated, moved or removed in Redis', async () => {
    const worker = await rig.openWorker();
    const ended = async (name: string) => {
      const { id } = await rig.client.enqueue(await rig.request(name, { card: 'match' }));
      expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
      return id;
    };
    const [id, other] = [await ended(`${CANARY}-order`), await ended(`${CANARY}-other`)];
    await worker.stop(5_000);
    const [stored, foreign] = [id, other].map((each) => rig.redis.lrange(rig.names.history(each), 0, -1));
    const [upload = '', md5 = '', detect = '', download = ''] = (await stored) ?? [];
    const shown = async (entries: readonly string[]) => {
      await rig.redis
        .multi()
        .del(rig.names.history(id))
        .rpush(rig.names.history(id), ...entries)
        .exec();
      const view = await rig.client.get(id);
      expect(view).toMatchObject({ state: 'completed', decision: 'match' });
      return view?.history.map(({ event, stage }) => stage ?? event).join(' ');
    };
    expect(await shown([upload, md5, detect, download])).toBe('upload md5 detect download');
    expect(await shown([upload, detect, md5, download])).toBe('upload altered detect altered download');
    expect(await shown([upload, md5, md5, detect, download])).toBe('upload md5 altered detect download');
    expect(await shown([md5, detect, download, upload])).toBe('altered md5 detect download altered');
    expect(await shown([upload, md5, download])).toBe('upload md5 altered download');
    expect(await shown([upload, (await foreign)?.[1] ?? '', detect, download])).toBe('upload altered detect download');
    expect(await shown([upload, '{"at":1,"event":"resolved","by":"maria"}'])).toBe('upload altered');
  });

  it('numbers the entries of several writers, and those of a history that has dropped older ones', async () => {
    const { id } = await rig.client.enqueue(await rig.request(`${CANARY}-long`));
    const clients = [rig.env, rig.env, rig.env].map((env) => openClient(readConfig(env)));
    const hold = async (client: (typeof clients)[number], number: number) => {
      await client.legalHold(id, { by: 'maria', why: `hold ${number}` });
      await client.liftLegalHold(id, { by: 'maria', why: `lift ${number}` });
    };
    for (let round = 0; round < 8; round++) {
      await Promise.all(clients.map((client, index) => hold(client, round * clients.length + index)));
    }
    const view = await rig.client.get(id);
    expect(view?.history).toHaveLength(40);
    expect(view?.history.filter(({ event }) => event === 'altered')).toEqual([]);
    const numbers = (await rig.redis.lrange(rig.names.history(id), 0, -1)).map((text) => Number.parseInt(text, 10));
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, index) => 9 + index));
    await rig.client.cancel(id);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('the data that is kept for a retry stays sealed, and the retry can open it', async () => {
    const worker = await rig.openWorker();
    const name = `${CANARY}-retry`;
    await rig.control.fault({ kind: 'error', action: DETECT, code: 'InvalidParameterValue' });
    const { id } = await rig.client.enqueue(
      await rig.request(name, { card: 'match' }, { ...PERSONAL, frame: frameOf('retried') }),
    );
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'failed' });
    expect(await rig.redis.hkeys(rig.names.kept(id))).toContain('src');
    expect(await allText(rig.redis, rig.config.prefix)).not.toContain(CANARY);
    const retry = async () => (await rig.client.retry({ ids: [id], by: 'test', why: 'mended' }))[0]?.status;
    await expect.poll(retry).toBe('run');
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', frame: 'stored' });
    expect(await allText(rig.redis, rig.config.prefix)).not.toContain(CANARY);
    await worker.stop(5_000);
  });

  it('without a key ring, the same search finds the data, which proves that the check can fail', async () => {
    const { BESTFRAME_KEY_RING: _none, ...env } = rig.env;
    const plain = openClient(readConfig(env));
    const { id } = await plain.enqueue(await rig.request(`${CANARY}-plain`, { card: 'match' }, PERSONAL));
    expect(await allText(rig.redis, rig.config.prefix)).toContain(CANARY);
    await rig.client.erase(id, { by: 'test', why: 'clears up' });
    await plain.close();
  });

  it('a worker without the key delays a verification and counts no attempt; one with the key completes it', async () => {
    const { id } = await rig.client.enqueue(await rig.request('locked'));
    const stranger = await rig.openWorker({ BESTFRAME_KEY_RING: `k2:${NEW}` });
    const sealed = () => rig.lines.filter((line) => line.id === id && line.event === 'record_sealed').length;
    await expect.poll(sealed, { timeout: 30_000 }).toBeGreaterThanOrEqual(2);
    await stranger.stop(5_000);
    const reader = openClient(readConfig({ ...rig.env, BESTFRAME_KEY_RING: `k2:${NEW}` }));
    const refusal = { code: 'SEAL_KEY_MISSING', field: 'BESTFRAME_KEY_RING' };
    await expect(reader.get(id)).rejects.toMatchObject(refusal);
    await reader.close();
    expect(await rig.client.get(id)).toMatchObject({ state: 'delayed', reason: { code: 'SEAL_KEY_MISSING' } });
    const worker = await rig.openWorker();
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', decision: 'match' });
    await worker.stop(5_000);
  });

  it('a key rotates during work: it is added, moved to the front, and the old key is removed', async () => {
    const ids: string[] = [];
    const rings = [RING, `k1:${OLD},k2:${NEW}`, `k2:${NEW},k1:${OLD}`];
    const clients = rings.map((ring) => openClient(readConfig({ ...rig.env, BESTFRAME_KEY_RING: ring })));
    for (const [index, client] of clients.entries()) {
      ids.push((await client.enqueue(await rig.request(`rotated-${index}`))).id);
    }
    // The first client sealed its request with the old key. The worker has both keys.
    const worker = await rig.openWorker({ BESTFRAME_KEY_RING: `k2:${NEW},k1:${OLD}` });
    for (const id of ids) {
      expect(await clients[1]?.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
    }
    await worker.stop(5_000);
    const newest = openClient(readConfig({ ...rig.env, BESTFRAME_KEY_RING: `k2:${NEW}` }));
    const { id } = await newest.enqueue(await rig.request('rotated-last'));
    expect(await newest.get(id)).toMatchObject({ key: 'rotated-last' });
    await newest.cancel(id);
    await Promise.all([...clients, newest].map((client) => client.close()));
  });
});
