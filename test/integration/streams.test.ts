/** Tests what holds a connection open: event streams and their keys, slow requests, and JSON that would block the process. */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../src/app/api.ts';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let http: Http;
let id: string;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_DASHBOARD_USER: 'ana', BESTFRAME_DASHBOARD_PASSWORD: 'ana-may-do-all' } });
  http = await openHttp(rig, { BESTFRAME_API_STREAMS: 'key=3,process=5' });
  id = String((await http.call('POST', '/v1/verifications', { json: await rig.request('streamed') })).json.id); // no worker runs
});
afterAll(async () => {
  kept.destroy();
  await http.close();
  await rig.dispose();
});

async function openStream(secret: string) {
  const controller = new AbortController();
  const answer = await fetch(`${http.url}/v1/verifications/${id}/events`, {
    headers: { authorization: `Bearer ${secret}` },
    signal: controller.signal,
  });
  return { answer, close: () => controller.abort() };
}

const keyId = (secret: string) => secret.split('_')[2] ?? '';

describe('an event stream', () => {
  it('ends at once when its key is revoked, and so does one whose key is replaced without overlap', async () => {
    for (const end of ['revoke', 'rotate'] as const) {
      const secret = await http.keyFor();
      const others = await openStream(http.secret);
      const { answer } = await openStream(secret);
      expect(answer.status).toBe(200);
      const rest = answer.text();
      if (end === 'revoke') await http.keys.revoke(keyId(secret));
      else await http.keys.rotate(keyId(secret), 0);
      expect(await rest).toContain('event: verification');
      expect((await openStream(secret)).answer.status).toBe(401);
      const reader = others.answer.body?.getReader();
      expect((await reader?.read())?.done).toBe(false); // a stream with another key goes on
      others.close();
    }
  });

  it('ends when its key expires', async () => {
    const { secret } = await http.keys.create({
      ...{ tenant: 'acme', scopes: ['read'], mode: 'test', perSecond: 1_000, name: 'short', lifeMs: 1_500 },
    });
    const { answer } = await openStream(secret);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('event: verification');
  });

  it('is one of few: a key and a process have a limit, and a place is free again when a stream closes', async () => {
    const secrets = [await http.keyFor(), await http.keyFor(), await http.keyFor()] as const;
    const first = await Promise.all([0, 1, 2].map(() => openStream(secrets[0])));
    expect(first.map(({ answer }) => answer.status)).toEqual([200, 200, 200]);
    const fourth = await openStream(secrets[0]);
    expect(fourth.answer.status).toBe(429);
    expect(Number(fourth.answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await fourth.answer.json()).toMatchObject({ detail: expect.stringContaining('3 event streams') });
    const more = [await openStream(secrets[1]), await openStream(secrets[1])];
    expect(more.map(({ answer }) => answer.status)).toEqual([200, 200]);
    expect((await openStream(secrets[2])).answer.status).toBe(429);
    first[0]?.close();
    await expect
      .poll(
        async () => {
          const { answer, close } = await openStream(secrets[2]);
          close();
          return answer.status;
        },
        { timeout: 20_000 },
      )
      .toBe(200);
    for (const { close } of [...first, ...more]) close();
  });
});

/** One connection: an unread body would hold up the next request. */
const kept = new Agent({ keepAlive: true, maxSockets: 1 });

/** Sends a body with any method. @returns the status. */
async function sendBody(method: string, path: string, type: string, body: Buffer): Promise<number> {
  const { hostname, port } = new URL(http.url);
  const headers = { authorization: `Bearer ${http.secret}`, 'content-type': type, 'content-length': body.length };
  const request = sendRequest({ hostname, port, path, method, headers, agent: kept });
  const [answer] = (await once(request.end(body), 'response')) as [IncomingMessage];
  request.on('error', () => undefined); // the server may close the connection before it has read everything
  answer.resume();
  return answer.statusCode ?? 0;
}

describe('JSON', () => {
  it.each(['application/json', 'application/json-seq', 'application/json;charset=x', 'application/json,text/plain'])(
    'that is nested deeply and that nobody reads does no harm, as %s',
    async (type) => {
      const body = Buffer.from('['.repeat(200_000));
      for (const path of ['/v1/verifications', '/v1/verifications/unknown', '/v1/nowhere', '/healthz']) {
        for (const method of ['POST', 'PUT', 'DELETE', 'GET']) {
          const answer = await sendBody(method, path, type, body);
          expect(answer, `${method} ${path}`).toBeLessThan(500);
        }
      }
    },
  );

  it('that is nested deeply is refused while it arrives, in a batch, alone and in a form', async () => {
    const deep = `{"verifications":[{"metadata":${'['.repeat(7 * 1024 * 1024)}`;
    const headers = { 'content-type': 'application/json' };
    for (const path of ['/v1/verifications:batch', '/v1/verifications']) {
      const body = path.endsWith('batch') ? deep : deep.slice(0, 100_000);
      const answer = await http.call('POST', path, { body, headers });
      expect(answer).toMatchObject({ status: 400, json: { detail: 'the JSON is nested deeper than 32 levels' } });
    }
    const form = new FormData();
    form.set('verification', `{"metadata":${'['.repeat(60_000)}`);
    const answer = await http.call('POST', '/v1/verifications', { body: form });
    expect(answer).toMatchObject({ status: 400, json: { code: 'MALFORMED_REQUEST' } });
  });

  it('with too many values is refused', async () => {
    const body = `{"verifications":[${'1,'.repeat(300_000)}1]}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await http.call('POST', '/v1/verifications:batch', { body, headers });
    expect(answer).toMatchObject({ status: 413, json: { detail: expect.stringContaining('200000 values') } });
  });
});

describe('a request that does not arrive', () => {
  const log = pino({ level: 'silent' });
  const config = () => {
    const read = readConfig({ ...rig.env, BESTFRAME_DASHBOARD_PORT: '0' });
    return { ...read, edge: { ...read.edge, times: { headersMs: 200, requestMs: 400, checkMs: 50 } } };
  };

  /** Sends the start of a request. @returns all that the server sends until it closes the connection. */
  async function sendStart(url: string, start: string): Promise<string> {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    let received = '';
    socket.setEncoding('utf8').on('data', (text) => {
      received += text;
    });
    socket.on('error', () => undefined);
    socket.write(start);
    await once(socket, 'close');
    return received;
  }

  it('is ended by the API and by the site, in its headers and in its body', async () => {
    const api = await openApi(config(), log);
    const site = await openDashboard(config(), log);
    const head = (path: string, type: string) =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 100\r\nauthorization: Bearer ${http.secret}\r\n\r\nx`;
    expect(await sendStart(api.url, 'GET /healthz HTTP/1.1\r\nhost: x')).toMatch(/^HTTP\/1.1 408 .*took too long/s);
    expect(await sendStart(api.url, head('/v1/verifications', 'application/json'))).toMatch(/^HTTP\/1.1 408/);
    expect(await sendStart(site.url, 'GET / HTTP/1.1\r\nhost: x')).toMatch(/^HTTP\/1.1 408/);
    expect(await sendStart(site.url, head('/login', 'application/x-www-form-urlencoded'))).toMatch(/^HTTP\/1.1 408/);
    await site.stop(0);
    await api.stop(0);
  });
});
