/** Tests that a trace passes through a deployment that records no spans itself. test/long/traces.test.ts tests the spans. */

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { BestframeHttpClient } from '../../src/client/http/index.ts';
import { type Http, openHttp } from '../support/http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn } from '../support/site.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

let rig: Rig;
let http: Http;
let receiver: Receiver;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_WEBHOOK_ALLOW: 'localhost',
    BESTFRAME_DASHBOARD_PORT: '0',
    BESTFRAME_DASHBOARD_USER: 'ana',
    BESTFRAME_DASHBOARD_PASSWORD: 'ana-may-do-all',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  http = await openHttp(rig);
  receiver = await startReceiver(rig.dir);
  await rig.openNotify({ NO_PROXY: 'localhost', BESTFRAME_CA_FILE: receiver.caFile });
  await rig.client.webhooks.add({ name: 'shop', url: receiver.url('/shop') });
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
  await receiver.close();
});

const journalField = (id: string) => rig.redis.hget(rig.names.journal(id), 'tp');

describe('the traceparent of a producer', () => {
  it('reaches the view, the log, the site and the webhook', async () => {
    const request = await rig.request('traced', { card: 'match' }, { webhook: 'shop' });
    const { id } = await rig.client.enqueue(request, { traceparent: TRACEPARENT });
    const worker = await rig.openWorker();
    expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed', traceId: TRACE });
    const { headers } = await receiver.waitFor(({ data }) => data.id === id);
    expect(headers.traceparent).toBe(TRACEPARENT);
    const site = await openDashboard(readConfig(rig.env), pino({ level: 'silent' }));
    const cookie = await loggedIn(site.url, 'ana', 'ana-may-do-all');
    const page = await fetch(new URL(`/v/${id}`, site.url), { headers: { cookie, accept: 'text/html' } });
    expect(await page.text()).toContain(`<dt>Trace</dt><dd><small><code>${TRACE}</code>`);
    await site.stop(0);
    await worker.stop(5_000);
    const lines = rig.lines.filter((line) => line.id === id);
    expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['done', 'decided', 'ended']));
    expect(lines.filter(({ traceId }) => traceId !== TRACE)).toEqual([]);
  });

  it.each(['verify', 'batch', 'file'])('passes through both clients and the HTTP API: %s', async (way) => {
    const overHttp = new BestframeHttpClient({ url: http.url, key: await http.keyFor(), files: 'workers' });
    const request = await rig.request(`http-${way}`);
    const options = { traceparent: TRACEPARENT };
    if (way === 'verify') await overHttp.verify(request, { ...options, timeoutMs: 0 });
    if (way === 'batch') await overHttp.enqueueMany([request], options);
    if (way === 'file') {
      const sending = new BestframeHttpClient({ url: http.url, key: await http.keyFor() });
      await sending.enqueue(request, options);
      await sending.close();
    }
    expect(await overHttp.getByKey(request.key)).toMatchObject({ traceId: TRACE });
    await overHttp.close();
  });

  it('that is repeated with another trace changes nothing', async () => {
    const request = await rig.request('repeated');
    const { id } = await rig.client.enqueue(request, { traceparent: TRACEPARENT });
    const again = await rig.client.enqueue(request, { traceparent: TRACEPARENT.replace(TRACE, '1'.repeat(32)) });
    expect(again).toMatchObject({ id, status: 'same' });
    expect(await rig.client.get(id)).toMatchObject({ traceId: TRACE });
  });
});

describe('a traceparent that is not valid', () => {
  it.each(['', 'https://example.com', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `${TRACEPARENT}, ${TRACEPARENT}`])(
    'is ignored, and the verification accepted: "%s"',
    async (traceparent) => {
      const json = await rig.request(`bad-${traceparent.length}`);
      const { status, json: answer } = await http.call('POST', '/v1/verifications', { json, headers: { traceparent } });
      expect(status).toBe(202);
      expect(answer.traceId).toBeNull();
      expect(await journalField(String(answer.id))).toBeNull();
    },
  );

  it('in an option of a client does not make the request fail', async () => {
    const overHttp = new BestframeHttpClient({ url: http.url, key: await http.keyFor(), files: 'workers' });
    const { id } = await overHttp.enqueue(await rig.request('bad-option'), { traceparent: 'a\r\nb: c' });
    expect(await journalField(id)).toBeNull();
    await overHttp.close();
  });
});

it('a verification without a trace has no field for it', async () => {
  const { id } = await rig.client.enqueue(await rig.request('untraced'));
  expect(await rig.client.get(id)).toMatchObject({ traceId: null });
  expect(await journalField(id)).toBeNull();
});
