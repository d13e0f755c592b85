/**
 * Tests one deployment with several tenants: each tenant has its own keys, and cannot see the verifications of another tenant.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import { createRig, type Rig } from '../support/rig.ts';

const ASKED = { by: 'officer', why: 'asked by letter' };

let rig: Rig;
let acme: BestframeClient;
let globex: BestframeClient;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  await rig.openWorker();
  await rig.openErase();
  await rig.permit('acme', 'globex', 'pages', 'short', 'shop');
  acme = rig.client.forTenant('acme');
  globex = rig.client.forTenant('globex');
});
afterAll(() => rig.dispose());

// One story: the lists of later tests leave out what earlier ones have ended.
describe('in this order', { shuffle: false }, () => {
  it('the same key is a separate verification for each tenant and for the deployment itself', async () => {
    const request = await rig.request('shared', { card: 'match' }, { subject: 'person' });
    const ids = await Promise.all([acme, globex, rig.client].map(async (client) => (await client.enqueue(request)).id));
    expect(new Set(ids).size).toBe(3);
    expect(ids).toEqual([acme.idOf('shared'), globex.idOf('shared'), rig.client.idOf('shared')]);
    expect(await acme.getByKey('shared')).toMatchObject({ id: ids[0], tenant: 'acme', key: 'shared' });
    expect(await rig.client.getByKey('shared')).toMatchObject({ id: ids[2], tenant: null });
    expect((await acme.bySubject('person')).map(({ id }) => id)).toEqual([ids[0]]);
    expect((await rig.client.bySubject('person')).map(({ id }) => id)).toEqual([ids[2]]);
  });

  it('a changed default of the policy applies to new verifications; a repeated request is still the same', async () => {
    const shop = rig.client.forTenant('shop');
    const { policy } = (await rig.client.tenants.get('shop')) ?? {};
    const allow = (similarityThreshold: number) =>
      rig.client.tenants.set({ tenant: 'shop', policy: { ...policy, similarityThreshold } }, { by: 'officer' });
    await allow(85);
    const request = await rig.request('defaults');
    const { id } = await shop.enqueue(request);
    await allow(90);
    expect(await shop.enqueue(request)).toMatchObject({ id, status: 'same' });
    expect(await shop.get(id)).toMatchObject({ similarityThreshold: 85 });

    const later = await shop.enqueue(await rig.request('later'));
    const named = await shop.enqueue(await rig.request('named', { card: 'match' }, { similarityThreshold: 60 }));
    expect(await shop.get(later.id)).toMatchObject({ similarityThreshold: 90 });
    expect(await shop.get(named.id)).toMatchObject({ similarityThreshold: 60 });
    const changed = shop.enqueue({ ...request, similarityThreshold: 85 });
    await expect(changed).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
  });

  it("hides another tenant's verification from every call; the deployment's own client sees all", async () => {
    const { id } = await acme.enqueue(await rig.request('mine'));
    await acme.wait(id, { until: 'ended' });
    const before = JSON.stringify(await acme.get(id));
    expect(await globex.get(id)).toBeNull();
    expect(await globex.wait(id, { timeoutMs: 100 })).toBeNull();
    expect(await globex.support(id)).toBeNull();
    expect(await globex.cancel(id)).toEqual({ status: 'missing', state: null });
    expect(await globex.resolve(id, 'fail', ASKED)).toEqual({ status: 'missing', state: null });
    expect(await globex.acknowledge(id)).toBe('missing');
    expect(await globex.legalHold(id, ASKED)).toBe('missing');
    expect(await globex.erase(id, ASKED)).toEqual({ status: 'missing' });
    for await (const _view of globex.watch(id, AbortSignal.timeout(5_000))) throw new Error('unexpected view');
    expect(JSON.stringify(await acme.get(id))).toBe(before);
    expect(await rig.client.get(id)).toMatchObject({ tenant: 'acme' });

    expect(await acme.erase(id, ASKED)).toMatchObject({ status: 'erased', receipt: { tenant: 'acme' } });
    expect(await acme.receipt(id)).toMatchObject({ id });
    expect(await globex.receipt(id)).toBeNull();
    expect(await globex.erase(id, ASKED)).toEqual({ status: 'missing' });
  });

  it('pages list every verification of one tenant, newest first, without erased ones', async () => {
    const client = rig.client.forTenant('pages');
    const requests = await Promise.all(Array.from({ length: 7 }, (_, index) => rig.request(`page-${index}`)));
    // Several verifications may share a millisecond. Such verifications are sorted by id, and no page may skip one.
    const items = await client.enqueueMany(requests);
    const ids = items.map((item) => (item.status === 'refused' ? '' : item.id));
    const seen: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await client.page({ limit: 3, ...(cursor == null ? {} : { cursor }) });
      seen.push(...page.verifications.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== null);
    expect([...seen].sort()).toEqual([...ids].sort());
    const times = (await client.page()).verifications.map(({ createdAt }) => createdAt);
    expect(times).toEqual([...times].sort().reverse());

    for (const id of ids) await client.wait(id, { until: 'ended' });
    expect((await client.page({ state: 'completed', region: 'ap-singapore' })).verifications).toHaveLength(7);
    expect((await client.page({ state: 'failed' })).verifications).toEqual([]);
    expect((await client.page({ region: 'ap-bangkok' })).verifications).toEqual([]);
    await client.erase(ids[0] ?? '', ASKED);
    expect((await client.page()).verifications.map(({ id }) => id)).not.toContain(ids[0]);
    await expect(client.page({ cursor: '1.2' })).rejects.toMatchObject({
      code: 'INVALID_VERIFICATION',
      field: 'cursor',
    });
    await expect(client.page({ cursor: `e5.${ids[1]}` })).rejects.toMatchObject({ field: 'cursor' });
    expect((await client.page({ lane: 'interactive' })).verifications).toEqual([]);
    expect((await client.page({ decision: 'match', class: 'transient' })).verifications).toEqual([]);
    expect((await client.page({ decision: 'match', since: times[0] })).verifications.length).toBeGreaterThan(0);
    expect((await client.page({ since: new Date(Date.now() + 60_000).toISOString() })).verifications).toEqual([]);
  });

  it('pages of all tenants list the live ones, then the ended ones, each once', async () => {
    const before = await rig.client.list({ limit: 1_000 });
    const gate = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare' } as const;
    await rig.client.steerGate(gate, 'pause', { by: 'ana', why: 'so that some do not end' });
    const waiting = await rig.client.enqueueMany(
      await Promise.all(Array.from({ length: 3 }, (_, index) => rig.request(`waits-${index}`))),
    );
    const seen: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page = await rig.client.page({ limit: 2, ...(cursor == null ? {} : { cursor }) });
      seen.push(...page.verifications.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== null);
    const ids = waiting.map((item) => (item.status === 'refused' ? '' : item.id));
    expect(seen).toHaveLength(new Set(seen).size);
    expect([...seen].sort()).toEqual([...ids, ...before.map(({ id }) => id)].sort());
    const listed = async (filter: { ended: boolean; cursor?: string }) =>
      (await rig.client.page({ ...filter, limit: 200 })).verifications.map(({ id }) => id).sort();
    expect(await listed({ ended: false })).toEqual([...ids].sort());
    expect(await listed({ ended: true })).toEqual(before.map(({ id }) => id).sort());
    expect(await listed({ ended: false, cursor: `e5.${ids[0]}` })).toEqual([]);
    await expect(rig.client.page({ cursor: `5.${ids[0]}` })).rejects.toMatchObject({ field: 'cursor' });
    await rig.client.steerGate(gate, 'resume', { by: 'ana', why: '' });
  });

  it('a watch yields changes, and ends with the verification', async () => {
    const object = acme.idOf('watched');
    const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
    const { id } = await acme.enqueue(await rig.request('watched'));
    const states: string[] = [];
    for await (const view of acme.watch(id, AbortSignal.timeout(50_000))) {
      states.push(`${view.state} ${view.decision}`);
      if (states.length === 1) {
        await rig.control.waitFor({ event: 'held', object });
        await rig.control.release(hold);
      }
    }
    expect(states.length).toBeGreaterThan(1);
    expect(states.at(-1)).toBe('completed match');
  });

  it('presence reports for each id whether it is present, erased or missing', async () => {
    const hold = await rig.control.fault({
      kind: 'hold',
      action: 'DetectReflectLivenessAndCompare',
      object: acme.idOf('needed'),
    });
    const { id: needed } = await acme.enqueue(await rig.request('needed'));
    const { id: ended } = await acme.enqueue(await rig.request('over'));
    await acme.wait(ended, { until: 'ended' });
    const { id: erased } = await acme.enqueue(await rig.request('erased'));
    await acme.erase(erased, ASKED);
    expect(await rig.client.presence([needed, ended, erased, 'vnothing'])).toEqual([
      { status: 'present', state: 'active', keepsSources: false },
      { status: 'present', state: 'completed', keepsSources: false },
      { status: 'erased' },
      { status: 'missing' },
    ]);
    await rig.control.release(hold);
    await acme.wait(needed, { until: 'ended' });
  });

  it("erasing removes a verification from its tenant's index", async () => {
    const client = rig.client.forTenant('short');
    const { id } = await client.enqueue(await rig.request('short'));
    expect(await rig.redis.zrange(rig.names.tenant('short'), '0', '-1')).toEqual([id]);
    await client.erase(id, ASKED);
    expect(await rig.redis.exists(rig.names.tenant('short'))).toBe(0);
  });

  it('refuses an invalid tenant name', () => {
    for (const tenant of ['', 'Acme', '-a', 'a b', 'a:b', '{x}', 'x'.repeat(41)]) {
      expect(() => rig.client.forTenant(tenant)).toThrow(/tenant is not valid/);
    }
  });
});
