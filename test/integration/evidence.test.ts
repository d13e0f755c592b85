/**
 * Evidence: copies of what a decision was based on, in a bucket with object lock. Tests what is copied, for each kind of
 * verification and each policy, what happens if copying fails or its worker dies, and what an erasure and retention do with it.
 */
import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { type OpenEdges, openEdges } from '../../src/app/edges.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { readEvidence } from '../../src/app/read-evidence.ts';
import type { Running } from '../../src/app/running.ts';
import { openErase } from '../../src/app/workers.ts';
import { copyEvidence } from '../../src/background/copy-evidence.ts';
import { Retention } from '../../src/background/retention.ts';
import { placeText } from '../../src/domain/verification/evidence.ts';
import { receiptOwner } from '../../src/domain/verification/frame-receipt.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { VerificationView } from '../../src/domain/verification/view.ts';
import { sampleImage, sampleVideo } from '../../src/emulator/samples.ts';
import { TenantPolicies } from '../../src/redis/tenant-policies.ts';
import { allText } from '../support/leftovers.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { finishedSession } from '../support/sessions.ts';

const REGION = 'ap-singapore';
const OWN = 'faces-1250000000';
const OTHER = 'other-1250000000';
const LOCKED = 'evidence-1250000000';
const DAY_MS = 86_400_000;
const DAYS = 365;
const KEY_RING = `k1:${Buffer.alloc(32, 7).toString('base64')}`;
const ASKED = { by: 'officer', why: 'asked by letter' };

let rig: Rig;
let edges: OpenEdges;
let retention: Retention;
let first: Running;

/** What the erase worker copies with. */
const tools = () => ({
  ...{ deployment: rig.deployment, evidence: edges.evidence, edges: edges.edges, log: pino({ level: 'silent' }) },
  ...{ tenants: new TenantPolicies(rig.deployment), objectFolder: 'bestframe', buckets: rig.config.buckets },
});

beforeAll(async () => {
  rig = await createRig({
    env: {
      BESTFRAME_BUCKETS: `${REGION}=${OWN}`,
      BESTFRAME_EVIDENCE_BUCKETS: `${REGION}=${LOCKED}`,
      BESTFRAME_EVIDENCE_DAYS: String(DAYS),
      BESTFRAME_KEY_RING: KEY_RING,
      BESTFRAME_QPS_DETECT: '200',
    },
    emulator: { qps: {} },
    buckets: [
      { name: OWN, region: REGION },
      { name: OTHER, region: REGION },
      { name: LOCKED, region: REGION, objectLock: { days: null } },
    ],
  });
  edges = openEdges(rig.config);
  retention = new Retention({
    ...{ deployment: rig.deployment, sink: edges.edges.sink, evidence: edges.evidence, rewriteAof: false },
    ...{ recordTtlMs: rig.config.recordTtlMs, keepFramesMs: rig.config.keepFramesMs },
    receiptOwner: receiptOwner(namespaceOf(rig.config), rig.config),
    log: pino({ level: 'silent' }),
  });
  first = await rig.openWorker();
});
afterEach(async () => {
  await rig.control.reset();
  await rig.control.settings({ clockSkewMs: 0 });
});
afterAll(async () => {
  await edges.close();
  await rig.dispose();
});

async function decided(request: VerificationRequest, client = rig.client): Promise<VerificationView> {
  const { id } = await client.enqueue(request);
  const view = await client.wait(id, { until: 'ended', timeoutMs: 30_000 });
  if (view === null) throw new Error('the verification is missing');
  expect(view).toMatchObject({ state: 'completed' });
  return view;
}

/** Runs an erase worker until the evidence is copied. */
async function copied(id: string, state = 'copied', client = rig.client): Promise<VerificationView> {
  const erase = await rig.openErase();
  await expect.poll(async () => (await client.get(id))?.evidence?.state, { timeout: 30_000 }).toBe(state);
  await expect.poll(async () => uploads(id), { timeout: 20_000 }).toEqual([]);
  await erase.stop(10_000);
  return (await client.get(id)) as VerificationView;
}

const copies = async (id: string) =>
  (await rig.control.objects()).filter((each) => each.bucket === LOCKED && each.key.includes(id));
const uploads = async (id: string) =>
  (await rig.control.objects()).filter((each) => each.bucket === OWN && each.key.includes(id));
const found = (id: string, tenant?: string) =>
  readEvidence({ ...rig.config, tenant }, edges.evidence, id, AbortSignal.timeout(10_000));
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');
const pathOf = (request: VerificationRequest, name: 'liveData' | 'video' | 'image') => {
  const source = request.resources[name];
  return source?.from === 'file' ? source.path : '';
};

describe('a decided verification', () => {
  it('has copies of package, photo, frame and answer under lock, and its uploads are deleted', async () => {
    const request = await rig.request('copied');
    const view = await decided(request);
    expect(view.evidence).toMatchObject({ state: 'pending', objects: [], missing: [] });
    expect(await uploads(view.id)).toHaveLength(2);
    const { evidence } = await copied(view.id);
    expect(evidence).toEqual({
      state: 'copied',
      lockedUntil: expect.any(String),
      objects: ['liveData', 'image', 'bestFrame', 'answer'],
      missing: [],
    });
    const calls = (await rig.control.calls({ service: 'cos', event: 'call' })).filter(({ objects }) =>
      objects?.some((object) => object.startsWith(`${LOCKED}/`)),
    );
    const counts = ['HeadObject', 'PutObject', 'GetObjectRetention'].map((action) => [
      action,
      calls.filter((call) => call.action === action).length,
    ]);
    expect(counts).toEqual([
      ['HeadObject', 4],
      ['PutObject', 4],
      ['GetObjectRetention', 4],
    ]);
    expect(calls).toHaveLength(12);
    const until = Date.parse(evidence?.lockedUntil ?? '');
    const decidedAt = Date.parse(view.decidedAt ?? '');
    expect(until).toBeGreaterThanOrEqual(decidedAt + DAYS * DAY_MS);
    expect(until).toBeLessThan(decidedAt + DAYS * DAY_MS + 60_000);
    expect(await uploads(view.id)).toEqual([]);
    const md5s = Object.fromEntries((await copies(view.id)).map((each) => [each.key, each.md5]));
    const folder = `bestframe/${view.id}`;
    expect(md5s).toEqual({
      [`${folder}/liveData`]: md5(await readFile(pathOf(request, 'liveData'))),
      [`${folder}/image`]: md5(await readFile(pathOf(request, 'image'))),
      [`${folder}/bestFrame`]: view.bestFrame?.md5,
      [`${folder}/answer.sealed`]: expect.any(String),
    });
    for (const key of Object.keys(md5s)) {
      const locked = edges.evidence.of(REGION);
      expect(await locked.list(key, AbortSignal.timeout(5_000))).toEqual([{ key, until }]);
    }
  });

  it('has an answer that only the key ring opens, only under its own name', async () => {
    const view = await decided(await rig.request('sealed', { card: 'spoof' }));
    await copied(view.id);
    const sealed = await edges.evidence
      .of(REGION)
      .read(`bestframe/${view.id}/answer.sealed`, 1e6, AbortSignal.timeout(5_000));
    for (const plain of [view.key, 'RequestId', 'not_live', view.requestIds.at(-1) ?? ''])
      expect(sealed).not.toContain(plain);
    const evidence = await found(view.id);
    const lockedUntil = expect.stringMatching(/Z$/);
    expect(evidence).toMatchObject({
      region: REGION,
      answer: {
        ...{ id: view.id, key: 'sealed', decision: 'not_live', decidedBy: 'vendor', similarity: view.similarity },
        ...{
          similarityThreshold: view.similarityThreshold,
          action: view.action,
          region: REGION,
          mode: 'test',
          billed: false,
        },
        requestId: view.requestIds.at(-1),
        resources: { liveData: { md5: expect.any(String) }, image: { md5: expect.any(String) } },
      },
      objects: expect.arrayContaining([
        { name: 'answer', lockedUntil },
        { name: 'liveData', lockedUntil },
      ]),
    });
    expect(JSON.stringify(evidence)).not.toMatch(/https?:|q-sign/);
    const other = { ...rig.config, keyRing: new Map([['k2', Buffer.alloc(32, 8)]]) };
    await expect(readEvidence(other, edges.evidence, view.id, AbortSignal.timeout(5_000))).rejects.toMatchObject({
      code: 'SEAL_KEY_MISSING',
    });
  });

  it('is copied from the caller’s places if the files were not in the own bucket', async () => {
    const byLink = await decided(await rig.request('by-link', { card: 'match' }, { upload: 'create-upload-url' }));
    const video = await rig.file('in-call.mp4', sampleVideo({ card: 'match', nonce: 'in-call' }));
    const image = await rig.file('in-call.jpg', sampleImage('in-call'));
    const inCall = await decided({
      ...{ key: 'in-call', action: 'CompareFaceLiveness', region: REGION, liveness: { type: 'SILENT' } },
      resources: { video: { from: 'file', path: video }, image: { from: 'file', path: image } },
    } as VerificationRequest);
    expect((await copied(byLink.id)).evidence?.objects).toEqual(['liveData', 'image', 'bestFrame', 'answer']);
    expect((await copied(inCall.id)).evidence?.objects).toEqual(['video', 'image', 'bestFrame', 'answer']);
    const stored = (await copies(inCall.id)).find(({ key }) => key.endsWith('/video'));
    expect(stored?.md5).toBe(md5(await readFile(video)));
  });

  it('says what is missing if a source is gone or was changed meanwhile, and has the rest', async () => {
    const request = await rig.request('gone', { card: 'match' }, { upload: 'create-upload-url' });
    const view = await decided(request);
    await rm(pathOf(request, 'image'));
    await rig.file('gone-live.gz', Buffer.concat([await readFile(pathOf(request, 'liveData')), Buffer.from('x')]));
    const before = (await rig.client.metrics()).counters.evidenceIncomplete;
    const { evidence } = await copied(view.id, 'incomplete');
    expect(evidence).toMatchObject({
      objects: ['bestFrame', 'answer'],
      missing: [
        { name: 'liveData', code: 'SOURCE_MD5_MISMATCH' },
        { name: 'image', code: 'SOURCE_MISSING' },
      ],
    });
    expect((await rig.client.metrics()).counters.evidenceIncomplete).toBe(before + 1);
  });

  it('has no copies of files that cannot be compared with what Tencent was given, as after a loss of Redis', async () => {
    const view = await decided(await rig.request('unknown', { card: 'match' }, { upload: 'create-upload-url' }));
    await rig.redis.hdel(rig.names.toCopy(view.id), 's:upload');
    expect((await copied(view.id, 'incomplete')).evidence).toMatchObject({
      objects: ['bestFrame', 'answer'],
      missing: [
        { name: 'liveData', code: 'SOURCE_MD5_MISMATCH' },
        { name: 'image', code: 'SOURCE_MD5_MISMATCH' },
      ],
    });
  });

  it('has no links, paths or answers outside its own key in Redis, and nothing is left to copy afterwards', async () => {
    const view = await decided(await rig.request('at-rest'));
    await copied(view.id);
    const text = await allText(rig.redis, rig.config.prefix);
    expect(text).not.toContain('at-rest-photo.jpg');
    expect(await rig.redis.exists(rig.names.toCopy(view.id))).toBe(0);
    expect(await rig.redis.zscore(rig.names.copies, view.id)).toBeNull();
    expect(rig.lines.filter((line) => JSON.stringify(line).includes('q-sign'))).toEqual([]);
  });
});

describe('a session', () => {
  it('has copies of its media and of its answer', async () => {
    const id = await finishedSession(rig, rig.client, 'session');
    const { evidence, session } = await copied(id);
    expect(evidence?.objects).toEqual(['bestFrame', 'liveVideo', 'answer']);
    const video = (await copies(id)).find(({ key }) => key.endsWith('/liveVideo'));
    expect(video?.md5).toBe(session?.media[0]?.md5);
    expect((await found(id))?.answer).toMatchObject({ session: { tries: expect.any(Number) }, resources: {} });
  });
});

describe('a tenant', () => {
  async function keepFor(tenant: string, evidenceDays: number): Promise<void> {
    await rig.permit(tenant);
    const record = await rig.client.tenants.get(tenant);
    await rig.client.tenants.set({ tenant, policy: { ...record?.policy, evidenceDays } }, { by: 'test' });
  }

  it('has its own days, or no evidence, as its policy says', async () => {
    await keepFor('acme', 30);
    await keepFor('globex', 0);
    const [acme, globex] = [rig.client.forTenant('acme'), rig.client.forTenant('globex')];
    const one = await decided(await rig.request('of-acme'), acme);
    const { evidence } = await copied(one.id, 'copied', acme);
    const until = Date.parse(evidence?.lockedUntil ?? '');
    expect(until).toBeLessThan(Date.parse(one.decidedAt ?? '') + 30 * DAY_MS + 60_000);
    expect((await copies(one.id)).map(({ key }) => key)).toContain(`bestframe/t/acme/${one.id}/answer.sealed`);
    expect((await found(one.id, 'acme'))?.answer).toMatchObject({ tenant: 'acme' });
    expect(await found(one.id)).toBeNull();
    const none = await decided(await rig.request('of-globex'), globex);
    expect(none.evidence).toBeNull();
    expect(await rig.redis.exists(rig.names.toCopy(none.id))).toBe(0);
  });

  it('whose policy asks for evidence where no bucket is configured has none, and the log says so', async () => {
    await keepFor('acme', 30);
    const worker = await rig.openWorker({ BESTFRAME_EVIDENCE_BUCKETS: '', BESTFRAME_EVIDENCE_DAYS: '' });
    await first.stop(5_000);
    const before = (await rig.client.metrics()).counters.evidenceIncomplete;
    const view = await decided(await rig.request('no-bucket'), rig.client.forTenant('acme'));
    await worker.stop(5_000);
    first = await rig.openWorker();
    expect(view.evidence).toMatchObject({ state: 'incomplete', objects: [] });
    expect((await rig.client.metrics()).counters.evidenceIncomplete).toBe(before + 1);
    expect(rig.lines).toContainEqual(expect.objectContaining({ id: view.id, event: 'evidence_without_bucket' }));
    expect(await rig.redis.exists(rig.names.toCopy(view.id))).toBe(0);
  });
});

describe('copying', () => {
  it('fails while the bucket of the evidence does, keeps the uploads, and succeeds later', async () => {
    const view = await decided(await rig.request('later'));
    const fault = {
      kind: 'error',
      service: 'cos',
      action: 'PutObject',
      object: LOCKED,
      code: 'InternalError',
    } as const;
    await rig.control.fault({ ...fault, times: null });
    const erase = await rig.openErase();
    await expect
      .poll(async () => (await rig.client.get(view.id))?.evidence?.missing.length, { timeout: 20_000 })
      .toBe(4);
    expect((await rig.client.get(view.id))?.evidence).toMatchObject({ state: 'pending', objects: [] });
    expect((await rig.client.metrics()).evidence).toMatchObject({ waiting: 1, oldestMs: expect.any(Number) });
    expect(await uploads(view.id)).toHaveLength(2);
    await rig.control.clearFaults();
    await expect.poll(async () => (await rig.client.get(view.id))?.evidence?.state, { timeout: 30_000 }).toBe('copied');
    await expect.poll(async () => uploads(view.id)).toEqual([]);
    await erase.stop(10_000);
    expect((await rig.client.metrics()).evidence).toEqual({ waiting: 0, oldestMs: null });
  });

  it('goes on where an attempt ended, and writes no object twice', async () => {
    const view = await decided(await rig.request('twice'));
    const object = `${LOCKED}/bestframe/${view.id}/bestFrame`;
    await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object, times: null });
    const ending = new AbortController();
    const attempt = copyEvidence(view.id, tools(), ending.signal);
    await rig.control.waitFor({ event: 'held', object });
    expect((await copies(view.id)).map(({ key }) => key.split('/').at(-1))).toEqual(['liveData', 'image']);
    ending.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'ABORTED' });
    await rig.control.clearFaults();
    await copyEvidence(view.id, tools(), AbortSignal.timeout(20_000));
    await copyEvidence(view.id, tools(), AbortSignal.timeout(20_000));
    expect((await rig.client.get(view.id))?.evidence).toMatchObject({
      state: 'copied',
      objects: ['liveData', 'image', 'bestFrame', 'answer'],
    });
    for (const name of ['liveData', 'image', 'answer']) {
      const written = `${LOCKED}/bestframe/${view.id}/${name}`;
      expect(await rig.control.calls({ action: 'PutObject', object: written, event: 'call' })).toHaveLength(1);
    }
  });

  it('ends within seconds of an erasure, which deletes what is not locked', async () => {
    const view = await decided(await rig.request('stopped'));
    const object = `${LOCKED}/bestframe/${view.id}/liveData`;
    await rig.control.fault({ kind: 'hold', service: 'cos', action: 'PutObject', object, times: null });
    const attempt = copyEvidence(view.id, tools(), AbortSignal.timeout(30_000));
    await rig.control.waitFor({ event: 'held', object });
    await rig.client.erase(view.id, ASKED);
    await attempt;
    expect(await rig.redis.exists(rig.names.toCopy(view.id))).toBe(0);
    expect(await rig.client.get(view.id)).toBeNull();
    expect(await copies(view.id)).toEqual([]);
  });

  it('is given up after a day: the uploads are deleted, and the record says what is missing', async () => {
    const view = await decided(await rig.request('given-up'));
    await rig.redis.del(rig.names.toCopy(view.id)); // as when Redis expires it
    await retention.deleteExpired(Date.now() + DAY_MS + 60_000);
    expect((await rig.client.get(view.id))?.evidence).toMatchObject({ state: 'incomplete', objects: [] });
    const erase = await rig.openErase();
    await expect.poll(async () => uploads(view.id), { timeout: 10_000 }).toEqual([]);
    await erase.stop(10_000);
    expect(await copies(view.id)).toEqual([]);
  });
});

describe('under lock', () => {
  /** Waits until everything that can be deleted now is deleted. */
  async function receiptOf(id: string) {
    const erase = await rig.openErase();
    await expect.poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 50_000 }).toBe(true);
    await erase.stop(10_000);
    return rig.client.receipt(id);
  }

  /** As if its days were over in a minute. */
  async function lockForAMinute(id: string): Promise<number> {
    const until = Math.ceil(Date.now() / 1_000) * 1_000 + 60_000;
    const evidence = JSON.parse((await rig.redis.hget(rig.names.journal(id), 'ev')) ?? '{}');
    await rig.redis.hset(rig.names.journal(id), 'ev', JSON.stringify({ ...evidence, until }));
    await rig.redis.zadd(rig.names.evidence, until, placeText(evidence.place));
    return until;
  }

  /** Both clocks go on, to a moment after the lock. */
  async function afterLock(until: number) {
    await rig.control.settings({ clockSkewMs: 120_000 });
    return retention.deleteExpired(until + 1_000);
  }

  it('evidence survives an erasure: the receipt says until when, and it is deleted and confirmed after that', async () => {
    const view = await decided(await rig.request('erased'));
    const until = await lockForAMinute(view.id);
    const lockedUntil = new Date(until).toISOString();
    await copied(view.id);
    expect(await rig.client.erase(view.id, ASKED)).toMatchObject({ status: 'erased', receipt: { evidence: null } });
    const receipt = await receiptOf(view.id);
    const objects = expect.arrayContaining(['liveData', 'image', 'bestFrame', 'answer']);
    expect(receipt).toMatchObject({ complete: true, evidence: { lockedUntil, objects } });
    expect(receipt?.notConfirmed.join()).toContain(`locked until ${lockedUntil}`);
    expect(receipt?.data.find(({ data }) => data === 'evidence')).toMatchObject({ fate: 'locked' });
    expect(Object.keys(await rig.redis.hgetall(rig.names.journal(view.id)))).toEqual(['erased']);

    expect((await retention.deleteExpired(until - 1_000)).evidence).toBe(0);
    expect(await copies(view.id)).toHaveLength(4);
    expect((await afterLock(until)).evidence).toBe(1);
    expect(await copies(view.id)).toEqual([]);
    const later = await rig.client.receipt(view.id);
    expect(later?.evidence).toEqual({ confirmedAt: expect.any(String), by: 'COS', versions: 4 });
    expect(later?.data.find(({ data }) => data === 'evidence')).toMatchObject({ fate: 'deleted' });
    expect(later?.notConfirmed.join()).not.toContain('locked until');
  });

  it('evidence is deleted when its lock ends, if nobody erases, and not under a legal hold', async () => {
    const view = await decided(await rig.request('expired'));
    const until = await lockForAMinute(view.id);
    await copied(view.id);
    await rig.client.legalHold(view.id, { by: 'counsel', why: 'case 9' });
    expect((await afterLock(until)).evidence).toBe(0);
    expect(await copies(view.id)).toHaveLength(4);
    await rig.client.liftLegalHold(view.id, { by: 'counsel', why: 'closed' });
    await retention.deleteExpired(until + 11 * 60_000);
    expect(await copies(view.id)).toEqual([]);
    expect((await rig.client.get(view.id))?.evidence).toBeNull();
  });

  it('a receipt lives longer than the lock', async () => {
    const view = await decided(await rig.request('long'));
    await copied(view.id);
    await rig.client.erase(view.id, ASKED);
    await receiptOf(view.id);
    expect(await rig.redis.pttl(rig.names.receipt(view.id))).toBeGreaterThan((2 * DAYS - 1) * DAY_MS);
  });

  it('a frame is not deleted before it is copied, even if it was acknowledged', async () => {
    const view = await decided(await rig.request('acknowledged'));
    await rig.client.acknowledge(view.id);
    await retention.deleteExpired();
    expect(await rig.client.get(view.id)).toMatchObject({ frame: 'stored' });
    expect((await copied(view.id)).evidence?.objects).toContain('bestFrame');
    await retention.deleteExpired(Date.now() + 30_000);
    expect(await rig.client.get(view.id)).toMatchObject({ frame: 'deleted' });
  });
});

describe('a deployment', () => {
  it('copies nothing if evidence is off', async () => {
    await first.stop(5_000);
    const off = { BESTFRAME_EVIDENCE_BUCKETS: '', BESTFRAME_EVIDENCE_DAYS: '' };
    const worker = await rig.openWorker(off);
    const { id } = await rig.client.enqueue(await rig.request('off', { card: 'match' }));
    const view = await rig.client.wait(id, { until: 'ended' });
    await worker.stop(5_000);
    first = await rig.openWorker();
    expect(view).toMatchObject({ state: 'completed', evidence: null });
    expect(await rig.redis.exists(rig.names.toCopy(id))).toBe(0);
    expect(readConfig({ ...rig.env, ...off }).evidence).toMatchObject({ buckets: new Map(), days: 0 });
  });

  it('is refused by the erase worker if the bucket has no object lock, or is missing', async () => {
    for (const bucket of [OTHER, 'missing-1250000000']) {
      const config = readConfig({ ...rig.env, BESTFRAME_EVIDENCE_BUCKETS: `${REGION}=${bucket}` });
      await expect(openErase(config, pino({ level: 'silent' }))).rejects.toMatchObject({
        code: 'EVIDENCE_BUCKET',
        field: 'BESTFRAME_EVIDENCE_BUCKETS',
      });
    }
  });
});
