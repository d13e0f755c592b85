/** The answer to a POST is built from the claim, without reading the record. It must say what a GET reads. No worker runs. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const GATE = { region: REGION, action: 'DetectReflectLivenessAndCompare' } as const;
const BY = { by: 'olga', why: 'a test' };
const RING = { BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32, 7).toString('base64')}` };

describe.each([
  { name: 'without a key ring', ring: {} },
  { name: 'with a key ring', ring: RING },
])('a new verification $name', ({ ring }) => {
  let rig: Rig;
  let http: Http;
  let count = 0;

  beforeAll(async () => {
    rig = await createRig({ env: ring });
    http = await openHttp(rig, ring);
  });
  afterEach(async () => {
    await rig.redis.del(rig.names.regions, rig.names.breakers(REGION));
    await rig.client.steerGate(GATE, 'resume', BY);
  });
  afterAll(async () => {
    await http.close();
    await rig.dispose();
  });

  /** @returns the answer, which a GET has confirmed. */
  async function submit(more: Partial<VerificationRequest> = {}, headers: Record<string, string> = {}) {
    count += 1;
    const json = { ...(await rig.request(`new-${count}`)), ...more };
    const { status, json: answer } = await http.call('POST', '/v1/verifications', { json, headers });
    expect({ status, answer }).toMatchObject({ status: 202, answer: { enqueued: 'new', state: 'queued' } });
    const { json: read } = await http.call('GET', `/v1/verifications/${answer.id}`);
    const { enqueued: _enqueued, ...created } = answer;
    expect({ ...created, history: [] }).toEqual(read);
    return created;
  }

  it('is answered as it is read, with every field', async () => {
    expect(await submit()).toMatchObject({ reason: null, pausedBy: null, retryAfter: null, traceId: null });
    const trace = 'a'.repeat(32);
    const full = await submit(
      {
        lane: 'batch',
        similarityThreshold: 82.5,
        deadline: new Date(Date.now() + 3_600_000).toISOString(),
        metadata: { order: '1042 ü' },
        subject: 'person-7',
        purpose: 'account-opening',
        consent: { ref: 'c-1', version: '3', at: '2026-11-01T00:00:00Z' },
        frame: { to: 'none' },
      },
      { traceparent: `00-${trace}-${'b'.repeat(16)}-01` },
    );
    expect(full).toMatchObject({
      lane: 'batch',
      similarityThreshold: 82.5,
      traceId: trace,
      purpose: 'account-opening',
    });
  });

  it('says that an operator has paused the gate', async () => {
    await rig.client.steerGate(GATE, 'pause', BY);
    expect(await submit()).toMatchObject({ pausedBy: 'operator', reason: { code: 'PAUSED_BY_OPERATOR' } });
  });

  it('says that no worker of the region answers', async () => {
    await rig.redis.zadd(rig.names.regions, Date.now() - 120_000, REGION);
    expect(await submit()).toMatchObject({ reason: { code: 'REGION_UNSERVED' } });
  });

  it('says that a service that it needs is down', async () => {
    const now = Date.now();
    const open = { open: true, since: now - 1_000, next: now + 600_000, pause: 600_000, patience: 0, probes: 1 };
    await rig.redis.hset(rig.names.breakers(REGION), { '#open': 'cos:get', 'cos:get': JSON.stringify(open) });
    expect(await submit({ lane: 'batch' })).toMatchObject({
      pausedBy: 'breaker',
      reason: { code: 'DEPENDENCY_DOWN', dependency: 'cos:get' },
    });
  });
});
