/** Tests the checks at enqueue: an outage is reported to the caller at once, and a region that no worker serves is refused. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_BREAKERS } from '../../src/domain/operations/breakers.ts';
import { reportTrouble } from '../../src/redis/scripts/report-trouble.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REGION = 'ap-singapore';
const ELSEWHERE = 'ap-bangkok';
const FACEID = 'faceid:DetectReflectLivenessAndCompare';
const PROBE_MS = 90_000;

let rig: Rig;
let http: Http;

beforeAll(async () => {
  rig = await createRig({ emulator: { qps: {} } });
  http = await openHttp(rig);
});
afterEach(async () => {
  await rig.redis.del(rig.names.breakers(REGION), rig.names.regions);
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

async function takeDown(dependency: string, probeMs = PROBE_MS): Promise<void> {
  const tuning = { ...DEFAULT_BREAKERS, firstProbeMs: probeMs, longestProbeMs: probeMs };
  const trouble = { dependency, code: 'InternalError', epoch: '0', spread: 1 };
  const verdicts: string[] = [];
  for (const id of ['a', 'b', 'c', 'a', 'b']) {
    verdicts.push((await reportTrouble(rig.deployment, { id, region: REGION }, trouble, tuning)).verdict);
  }
  expect(verdicts.at(-1)).toBe('opened');
}

describe('while a dependency is down', () => {
  it('an interactive verification that would miss its deadline is refused with a Retry-After, and nothing is stored', async () => {
    await takeDown(FACEID);
    const request = await rig.request('no-time', undefined, { deadline: inMs(30_000) });
    await expect(rig.client.enqueue(request)).rejects.toMatchObject({ code: 'DEPENDENCY_DOWN' });
    const answer = await http.call('POST', '/v1/verifications', { json: request });
    expect(answer).toMatchObject({ status: 503, json: { code: 'DEPENDENCY_DOWN' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(60);
    expect(await rig.client.getByKey('no-time')).toBeNull();
  });

  it('a verification with a later deadline and a batch verification show at once why and how long they wait', async () => {
    await takeDown(FACEID);
    for (const more of [{ deadline: inMs(600_000) }, { lane: 'batch' }] as const) {
      const { id } = await rig.client.enqueue(await rig.request(`waits-${Object.keys(more)[0]}`, undefined, more));
      const view = await rig.client.get(id);
      expect(view).toMatchObject({ next: 'wait', reason: { code: 'DEPENDENCY_DOWN', dependency: FACEID } });
      expect(Date.parse(view?.retryAfter ?? '') - Date.now()).toBeGreaterThan(60_000);
      expect(view).toMatchObject({ pausedBy: 'breaker', retake: 'none' });
    }
  });

  it('a verification that does not need the dependency is accepted, and so is one that arrives when a probe is due', async () => {
    await takeDown('CreateUploadUrl');
    const other = await rig.client.enqueue(await rig.request('own-bucket', undefined, { deadline: inMs(5_000) }));
    expect((await rig.client.get(other.id))?.reason).toBeNull();
    await rig.redis.del(rig.names.breakers(REGION));
    await takeDown(FACEID, 1);
    await expect(
      rig.client.enqueue(await rig.request('due', undefined, { deadline: inMs(5_000) })),
    ).resolves.toMatchObject({ status: 'new' });
  });

  it('its breaker is shown with the gates', async () => {
    await takeDown(FACEID);
    const down = { region: REGION, dependency: FACEID, state: 'down', code: 'InternalError', failed: 5, worked: 0 };
    expect(await rig.client.breakers()).toEqual([expect.objectContaining(down)]);
    const answer = await http.call('GET', '/v1/gate', { secret: http.operator });
    expect(answer.json.breakers).toEqual([expect.objectContaining(down)]);
    expect((await rig.client.metrics()).counters.breakerOpened).toBeGreaterThan(0);
  });
});

describe('a region that no worker serves', () => {
  const there = (key: string, more: object = {}) =>
    rig.request(key, undefined, { region: ELSEWHERE, upload: 'create-upload-url', ...more });

  it('is refused if workers of other regions have reported, and accepted before any worker has', async () => {
    expect(await rig.client.enqueue(await there('before'))).toMatchObject({ status: 'new' });
    const worker = await rig.openWorker();
    const refused = { code: 'REGION_UNSERVED', field: 'region' };
    await expect(rig.client.enqueue(await there('after'))).rejects.toMatchObject(refused);
    const answer = await http.call('POST', '/v1/verifications', { json: await there('after') });
    expect(answer).toMatchObject({ status: 400, json: refused });
    expect(await rig.client.enqueue(await there('before'))).toMatchObject({ status: 'same' });
    await worker.stop(5_000);
  });

  it('is accepted if its workers were seen minutes ago, and the reason says why the verification waits', async () => {
    await rig.redis.zadd(rig.names.regions, Date.now() - 300_000, ELSEWHERE, Date.now(), REGION);
    const { id } = await rig.client.enqueue(await there('away'));
    expect(await rig.client.get(id)).toMatchObject({ next: 'wait', reason: { code: 'REGION_UNSERVED' } });
  });

  it('keeps its deadlines: the sweeper of any worker ends overdue verifications', async () => {
    const { id } = await rig.client.enqueue(await there('overdue', { deadline: inMs(1_500) }));
    const worker = await rig.openWorker();
    const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 45_000 });
    expect(view).toMatchObject({ state: 'failed', reason: { code: 'DEADLINE_EXCEEDED' }, paidCalls: 0 });
    await worker.stop(5_000);
  });
});
