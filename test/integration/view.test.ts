/**
 * Tests the facts in a view: the reason, who must act, what to capture again, what the verification waits for, and until when.
 * Both clients must return the same view.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Running } from '../../src/app/running.ts';
import { lastingText } from '../../src/client/redis/changes.ts';
import { DEFAULT_BREAKERS } from '../../src/domain/operations/breakers.ts';
import { BestframeHttpClient } from '../../src/index.ts';
import type { Deployment } from '../../src/redis/deployment.ts';
import { Places } from '../../src/redis/read-surroundings.ts';
import { readViews } from '../../src/redis/read-view.ts';
import { reportTrouble } from '../../src/redis/scripts/report-trouble.ts';
import { tripGate } from '../../src/redis/scripts/trip-gate.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const REGION = 'ap-singapore';
const GATE = { region: REGION, action: ACTION } as const;
const WHO = { by: 'officer', why: 'a drill' };

let rig: Rig;
let http: Http;
let overHttp: BestframeHttpClient;

beforeAll(async () => {
  rig = await createRig({
    env: { BESTFRAME_QPS_DETECT: '200', BESTFRAME_BACKOFF_MS: 'interactive=10' },
    emulator: { qps: {} },
  });
  http = await openHttp(rig);
  overHttp = new BestframeHttpClient({ url: http.url, key: http.secret, files: 'workers' });
});
afterEach(async () => {
  await rig.control.clearFaults();
  await rig.redis.del(rig.names.gate(REGION, ACTION).gate, rig.names.breakers(REGION));
});
afterAll(async () => {
  await overHttp.close();
  await http.close();
  await rig.dispose();
});

const acme = () => rig.client.forTenant('acme');

/** The view through both clients. The two views are equal except for the location of the frame, which HTTP does not return. */
async function viewOf(id: string) {
  const view = await acme().get(id);
  if (view === null) throw new Error('there is no such verification');
  const { bestFrame: _mine, history: _history, ...rest } = view;
  const answer = await overHttp.get(id);
  if (answer === null) throw new Error('there is no such verification over HTTP');
  const { bestFrame: _theirs, history: _same, ...same } = answer;
  expect(same).toEqual(rest);
  return view;
}

const enqueued: string[] = [];

async function enqueue(key: string, ...more: [Parameters<Rig['request']>[1]?, Parameters<Rig['request']>[2]?]) {
  const { id } = await acme().enqueue(await rig.request(key, ...more));
  enqueued.push(id);
  return id;
}

describe('with a worker', () => {
  let worker: Running;
  beforeAll(async () => {
    worker = await rig.openWorker();
  });
  afterAll(() => worker.stop(5_000));

  const ended = async (id: string) => {
    await acme().wait(id, { until: 'ended' });
    return viewOf(id);
  };

  it.each([
    ['lowSimilarity', 'BELOW_THRESHOLD', { decision: 'no_match', retake: 'none' }, 'caller'],
    [
      'compareLowSimilarity',
      'FailedOperation.CompareLowSimilarity',
      { decision: 'no_match', retake: 'none' },
      'caller',
    ],
    ['spoof', 'FailedOperation.LivessDetectFake', { decision: 'not_live', retake: 'none' }, 'caller'],
    ['badLight', 'FailedOperation.ActionLightDark', { decision: 'recapture', retake: 'liveness' }, 'person'],
    ['blurred', 'FailedOperation.ImageBlur', { decision: 'recapture', retake: 'both' }, 'person'],
    ['poorPhoto', 'InternalError.LifePhotoPoorQuality', { decision: 'recapture', retake: 'photo' }, 'person'],
  ])('%s: a decision that is no match has a reason', async (card, code, facts, audience) => {
    const view = await ended(await enqueue(`card-${card}`, { card }));
    const person = audience === 'person' ? { personAdvice: expect.stringMatching(/^Please /) } : {};
    expect(view).toMatchObject({ state: 'completed', stage: 'download', ...facts, pausedBy: null, retryAfter: null });
    expect(view.reason).toMatchObject({ code, class: 'rejected', stage: 'detect', audience, ...person });
    expect('personAdvice' in (view.reason ?? {})).toBe(audience === 'person');
    const numbers = { similarity: view.similarity, threshold: view.similarityThreshold };
    if (view.decision === 'no_match') expect(view.reason).toMatchObject(numbers);
    else for (const name of Object.keys(numbers)) expect(view.reason).not.toHaveProperty(name);
  });

  it('a match has no reason, and nothing is captured again', async () => {
    expect(await ended(await enqueue('match'))).toMatchObject({ decision: 'match', reason: null, retake: 'none' });
  });

  it('a frame that cannot be downloaded does not hide why the decision is no match', async () => {
    const broken = { kind: 'error', service: 'cos', action: 'GetObject', object: 'faceid-result' } as const;
    await rig.control.fault({ ...broken, code: 'InternalError', status: 500, times: null });
    const id = await enqueue('no-frame', { card: 'lowSimilarity' });
    const journal = rig.names.journal(id);
    await expect.poll(async () => Number(await rig.redis.hget(journal, 'a:download'))).toBeGreaterThanOrEqual(1);
    expect(await acme().get(id)).toMatchObject({
      next: 'refuse',
      stage: 'download',
      reason: { code: 'BELOW_THRESHOLD', advice: expect.stringMatching(/^Refuse the person/) },
    });
    const outcome = JSON.parse((await rig.redis.hget(journal, 's:detect')) ?? '{}');
    outcome.bestFrame.expiresAt = Date.now() - 1;
    await rig.redis.hset(journal, 's:detect', JSON.stringify(outcome));
    expect(await ended(id)).toMatchObject({ frame: 'lost', reason: { code: 'BELOW_THRESHOLD', similarity: 41.27 } });
  });

  it('a failure names the stage in which it ended, and advises no automatic retry', async () => {
    const path = await rig.file('cut.gz', Buffer.from([0x1f, 0x8b, 8, 0]));
    const request = await rig.request('cut');
    const resources = { ...request.resources, liveData: { from: 'file', path } as const };
    const { id } = await acme().enqueue({ ...request, resources });
    const view = await ended(id);
    expect(view).toMatchObject({ state: 'failed', stage: 'upload', retake: 'none', retryAfter: null });
    expect(view.reason).toMatchObject({ audience: 'caller', advice: expect.stringMatching(/new key\.$/) });
    expect(view.reason?.advice).not.toMatch(/by itself/);
  });
});

describe('a verification that waits', () => {
  // If the tests with a worker come later, nothing is left for it: with a fault of one of those tests, it would open a breaker.
  afterAll(async () => {
    for (const id of enqueued) await acme().cancel(id);
  });

  it('only for its turn has neither a pause nor a next try', async () => {
    const view = await viewOf(await enqueue('queued'));
    expect(view).toMatchObject({ state: 'queued', reason: null, pausedBy: null, retryAfter: null, stage: 'upload' });
  });

  it('behind an operator’s pause says so at once, although no worker has seen it, and only while it lasts', async () => {
    const id = await enqueue('paused');
    await rig.client.steerGate(GATE, 'pause', WHO);
    const paused = await viewOf(id);
    expect(paused).toMatchObject({ next: 'wait', pausedBy: 'operator', retryAfter: null });
    expect(paused.reason).toMatchObject({ code: 'PAUSED_BY_OPERATOR', class: 'account', audience: 'operator' });
    expect(JSON.stringify(paused)).not.toMatch(/officer|drill|bestframe gate/);
    await rig.client.steerGate(GATE, 'resume', WHO);
    expect(await viewOf(id)).toMatchObject({ pausedBy: null, reason: null });
  });

  it.each([
    ['CLOSED_BY_OPERATOR', 'operator'],
    ['BUDGET_SPENT', 'budget'],
    ['UnauthorizedOperation.Arrears', 'account'],
    ['NoSuchBucket', 'account'],
  ])('behind a gate that is closed for %s is paused by: %s, until the next probe', async (code, pausedBy) => {
    const id = await enqueue(`closed-${code}`);
    const trouble = { id: 'other', epoch: '0', code, firstProbeMs: 90_000, longestProbeMs: 90_000 };
    expect(await tripGate(rig.deployment, GATE, trouble)).toBe('tripped');
    const view = await viewOf(id);
    expect(view).toMatchObject({ pausedBy, reason: { code, class: 'account', stage: 'upload', audience: 'operator' } });
    const [gate] = await rig.client.gates();
    expect(view.retryAfter).toBe(gate?.nextProbeAt);
    expect(view.retryAfter).not.toBeNull();
  });

  it('for a service that failed after the verification was accepted names the service', async () => {
    const id = await enqueue('broken');
    const dependency = `faceid:${ACTION}`;
    const trouble = { dependency, code: 'InternalError', epoch: '0', spread: 1 };
    for (const other of ['a', 'b', 'c', 'a', 'b'])
      await reportTrouble(rig.deployment, { id: other, region: REGION }, trouble, DEFAULT_BREAKERS);
    expect(await viewOf(id)).toMatchObject({
      pausedBy: 'breaker',
      reason: { code: 'DEPENDENCY_DOWN', class: 'transient', dependency, audience: 'caller' },
    });
  });

  it('while other verifications use up the rate is paused by the rate, until the next free slot', async () => {
    const id = await enqueue('rate');
    const at = Date.now() + 60_000;
    await rig.redis.hset(rig.names.gate(REGION, ACTION).gate, 'tat', at);
    const view = await viewOf(id);
    expect(view).toMatchObject({ pausedBy: 'rate', retryAfter: new Date(at).toISOString() });
    await rig.redis.del(rig.names.gate(REGION, ACTION).gate);
    const later = await viewOf(id);
    expect(later.pausedBy).toBeNull();
    expect(lastingText(later)).toBe(lastingText(view)); // a watcher is not notified when other verifications take slots
    await rig.client.steerGate(GATE, 'pause', WHO);
    expect(lastingText(await viewOf(id))).not.toBe(lastingText(view));
  });

  it('needs one round trip for all views, and a second one only for the first verification of its region and action', async () => {
    const ids = [await enqueue('one-trip'), await enqueue('one-trip-2')];
    await rig.client.steerGate(GATE, 'pause', WHO);
    let trips = 0;
    const pipeline = () => {
      trips += 1;
      return rig.redis.pipeline();
    };
    const redis = Object.create(rig.redis, { pipeline: { value: pipeline } }) as Deployment['redis'];
    const deployment = { ...rig.deployment, redis, places: new Places() };
    for (const tripsSoFar of [2, 3]) {
      const views = await readViews(deployment, ids);
      expect(views.map((view) => view?.pausedBy)).toEqual(['operator', 'operator']);
      expect(trips).toBe(tripsSoFar);
    }
  });

  it('until it is cancelled is then no longer paused by the gate', async () => {
    const id = await enqueue('cancelled');
    await acme().cancel(id);
    await rig.client.steerGate(GATE, 'pause', WHO);
    expect(await viewOf(id)).toMatchObject({ state: 'cancelled', pausedBy: null, retryAfter: null, stage: 'upload' });
  });
});
