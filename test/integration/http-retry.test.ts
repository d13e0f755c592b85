/** Tests retries over HTTP: pages, the audit log, the separation of tenants, and files that were uploaded with the request. */
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { openStagingFolder } from '../../src/adapters/storage/staging-folder.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { StagingSweep } from '../../src/server/api/staging-sweep.ts';
import { DETECT, REGION } from '../support/attempts.ts';
import { namesIn } from '../support/folders.ts';
import { formOf, type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const CODE = 'InvalidParameterValue';
const WHY = 'the account was mended';

let rig: Rig;
let http: Http;
let sweep: StagingSweep;
let staged: string;

beforeAll(async () => {
  const env = { BESTFRAME_QPS_DETECT: '200', BESTFRAME_BACKOFF_MS: 'interactive=50,batch=50' };
  rig = await createRig({ env, emulator: { qps: {} } });
  await rig.openWorker();
  staged = join(rig.dir, 'inputs', 'staging');
  http = await openHttp(rig);
  sweep = new StagingSweep({ client: rig.client, staging: openStagingFolder(staged), log: pino({ level: 'silent' }) });
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const idOf = (key: string) => rig.client.forTenant('acme').idOf(key);
const ended = (id: string) => rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });

/** Sends a verification with files. Tencent refuses the verification's first call. */
async function failed(key: string): Promise<string> {
  const id = idOf(key);
  await rig.control.fault({ kind: 'error', action: DETECT, code: CODE, object: id });
  const files = { liveData: sampleLiveData({ card: 'match', nonce: key }), image: sampleImage(key) };
  const body = formOf({ key, region: REGION, upload: 'own-bucket' }, files);
  expect((await http.call('POST', '/v1/verifications', { body })).status).toBe(202);
  expect(await ended(id)).toMatchObject({ state: 'failed', reason: { code: CODE } });
  await expect.poll(() => rig.redis.exists(rig.names.job(REGION, id).lock)).toBe(0);
  return id;
}

async function filesOf(id: string): Promise<string[]> {
  await sweep.sweep();
  return (await namesIn(staged)).filter((name) => name.startsWith(id)).map((name) => name.split('.')[1] ?? '');
}

const retry = (json: object, secret = http.secret) => http.call('POST', '/v1/retries', { json, secret });

it('keeps the files of a failed verification until its retry has ended, or can no longer be started', async () => {
  const id = await failed('files');
  expect((await filesOf(id)).sort()).toEqual(['image', 'liveData']);
  const answer = await retry({ ids: [id], why: WHY });
  expect(answer).toMatchObject({
    status: 200,
    json: { mode: 'test', dryRun: false, cursor: null, results: [{ id, code: CODE, status: 'run' }] },
  });
  expect(await ended(id)).toMatchObject({ state: 'completed', decision: 'match' });
  expect(await filesOf(id)).toEqual([]);

  const late = await failed('files-late');
  await rig.redis.del(rig.names.kept(late)); // simulates the end of the retention time
  expect(await filesOf(late)).toEqual([]);
  expect((await retry({ ids: [late], why: WHY })).json.results).toMatchObject([{ status: 'sources_gone' }]);
});

it('goes through a selection page by page, audits each start, and audits nothing in a dry run', async () => {
  const since = new Date().toISOString();
  const ids = [await failed('page-1'), await failed('page-2'), await failed('page-3')].sort();
  await rig.client.forTenant('acme').legalHold(ids[0] ?? '', { by: 'counsel', why: 'a dispute' });
  const pagesOf = async (more: object) => {
    const found: { id: string; status: string }[] = [];
    let cursor: unknown;
    do {
      const { json } = await retry({ since, code: CODE, limit: 2, ...more, ...(cursor == null ? {} : { cursor }) });
      expect((json.results as unknown[]).length).toBeLessThanOrEqual(2);
      found.push(...(json.results as typeof found));
      ({ cursor } = json);
    } while (cursor !== null);
    return found.sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ id, status }) => [id, status]);
  };
  const expected = ids.map((id, index) => [id, index === 0 ? 'legal_hold' : 'run']);
  const audited = async () => (await rig.audited()).filter(({ act, on }) => act === 'retry' && ids.includes(on ?? ''));
  expect(await pagesOf({ dryRun: true })).toEqual(expected);
  expect(await audited()).toEqual([]);
  expect(await pagesOf({ why: WHY })).toEqual(expected);
  const lines = await audited();
  expect(lines.map(({ on }) => on).sort()).toEqual(ids.slice(1));
  for (const line of lines) expect(line).toMatchObject({ what: 'run', purpose: WHY, tenant: 'acme' });
  for (const id of ids.slice(1)) expect(await ended(id)).toMatchObject({ state: 'completed', paidCalls: 1 });
});

it('starts nothing if the audit log cannot be written', async () => {
  const id = await failed('mute');
  const mute = await openHttp(rig, { BESTFRAME_AUDIT: '/dev/full' });
  const answer = await mute.call('POST', '/v1/retries', { json: { ids: [id], why: WHY } });
  expect(answer).toMatchObject({ status: 503, json: { code: 'AUDIT_UNAVAILABLE' } });
  expect(await rig.client.get(id)).toMatchObject({ state: 'failed' });
  await mute.close();
});

it('shows and retries nothing of another tenant', async () => {
  const since = new Date().toISOString();
  const id = await failed('walled');
  const other = await http.keyFor({ tenant: 'other' });
  expect((await retry({ since, code: CODE, dryRun: true }, other)).json).toMatchObject({ results: [], cursor: null });
  expect((await retry({ ids: [id], why: WHY }, other)).json).toMatchObject({ results: [{ id, status: 'missing' }] });
  expect(await rig.client.get(id)).toMatchObject({ state: 'failed' });
});

it.each([
  [{ ids: ['x'], why: WHY, sinc: 1 }, 'sinc'],
  [{ since: 'yesterday', code: CODE, why: WHY }, 'since'],
  [{ ids: Array.from({ length: 101 }, () => 'x'), why: WHY }, 'ids'],
  [{ since: '2026-11-25T09:30:00Z', code: CODE, why: WHY, limit: 101 }, 'limit'],
  [{ since: '2026-11-25T09:30:00Z', code: CODE, why: WHY, cursor: 'mine' }, 'cursor'],
  [{ ids: ['x'] }, 'why'],
])('refuses %j, and names the field', async (json, field) => {
  expect(await retry(json)).toMatchObject({
    status: 400,
    json: { code: 'MALFORMED_REQUEST', detail: expect.stringContaining(field) },
  });
});
