/**
 * Tests bad input over HTTP: thousands of malformed requests generated from the OpenAPI document, and requests that only a raw
 * socket can send. Each request must get a problem with a status below 500, and refused requests must leave nothing stored.
 */
import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleLiveData } from '../../src/emulator/samples.ts';
import { type BadRequest, badRequests } from '../support/bad-requests.ts';
import { namesIn } from '../support/folders.ts';
import { inForm, SEED } from '../support/forms.ts';
import { conformity, type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const REQUESTS = inForm({ short: 1_500, long: 10_000 });
/** Answers that some of the requests must get. Few random requests are accepted, or conflict with an accepted one. */
const COMMON = [200, 400, 401, 404, 410, 415];
const AWAITED = inForm({ short: COMMON, long: [...COMMON, 202, 409] });
const AT_ONCE = 20;
const KNOWN = 40;
const CHUNK = 500;
/** A request without an answer fails after this time. */
const UNANSWERED_MS = 20_000;

let rig: Rig;
let http: Http;
let secret: string;
let agent: Agent;
const known: string[] = [];

beforeAll(async () => {
  rig = await createRig();
  http = await openHttp(rig);
  secret = await http.keyFor({ perSecond: 100_000 });
  agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  for (let index = 0; index < KNOWN; index += 1) {
    const json = await rig.request(`known-${index}`);
    const answer = await http.call('POST', '/v1/verifications', { json });
    known.push(String(answer.json.id));
  }
});
afterAll(async () => {
  agent.destroy();
  await http.close();
  await rig.dispose();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** Sends a request. For an event stream, it resolves when the stream starts. */
function ask({ method, path, headers, body }: BadRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(http.url);
    const length = body === null ? {} : { 'content-length': String(body.length) };
    const asked = send({ agent, hostname, port, method, path, headers: { ...headers, ...length } }, (answer) => {
      const type = String(answer.headers['content-type'] ?? '');
      const status = answer.statusCode ?? 0;
      if (type.startsWith('text/event-stream')) {
        answer.destroy();
        resolve({ status, type, body: undefined });
        return;
      }
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status, type, body: /\bjson\b/.test(type) && text !== '' ? JSON.parse(text) : undefined });
      });
    });
    asked.on('error', reject);
    asked.setTimeout(UNANSWERED_MS, () => asked.destroy(new Error('the request was never answered')));
    asked.end(body ?? undefined);
  });
}

function codeOf(body: unknown): unknown {
  return (body as { code?: unknown } | null | undefined)?.code;
}

it(`${REQUESTS.toLocaleString('en-US')} malformed requests get a documented answer below 500, and only accepted ones are stored`, async () => {
  const conforms = conformity(http.document);
  const taken = new Set(known);
  const statuses = new Map<number, number>();
  const arbitrary = badRequests(http.document, { known, good: await rig.request('good'), secret });
  const one = async (each: BadRequest) => {
    const said = `${each.method} ${each.path} ${JSON.stringify(each.headers)} ${each.body?.toString().slice(0, 500)}`;
    const answer = await ask(each).catch((error: unknown) => {
      throw new Error(`no answer to ${said.slice(0, 1_500)}`, { cause: error });
    });
    try {
      expect(answer.status).toBeGreaterThanOrEqual(200);
      // The answer to a valid request may be 503: for a sequence if the vendor fails, and for a verification if there is a
      // backlog.
      const later = each.path.startsWith('/v1/sequences') || codeOf(answer.body) === 'BACKLOG';
      if (!(answer.status === 503 && later)) expect(answer.status).toBeLessThan(500);
      if (answer.status >= 400 && each.method !== 'HEAD') expect(answer.type).toContain('application/problem+json');
      conforms(each.method, each.path, answer.status, answer.type, answer.body);
    } catch (error) {
      throw new Error(`${answer.status} ${JSON.stringify(answer.body)} to ${said.slice(0, 1_500)}`, { cause: error });
    }
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    for (const id of idsIn(answer)) taken.add(id);
  };
  console.info(`BESTFRAME_TEST_SEED=${SEED}`);
  for (let done = 0; done < REQUESTS; done += CHUNK) {
    const requests = fc.sample(arbitrary, { numRuns: CHUNK, seed: SEED + done });
    const turn = async () => {
      for (let next = requests.pop(); next !== undefined; next = requests.pop()) await one(next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, turn));
  }

  console.info(
    [...statuses]
      .sort()
      .map(([status, count]) => `${status}: ${count}`)
      .join(', '),
  );
  for (const met of AWAITED) expect(statuses.get(met) ?? 0).toBeGreaterThan(0);
  const jobs = await rig.redis.keys(`${rig.config.prefix}:verify-*:v*`);
  const live = await rig.redis.zrange(rig.names.live, '0', '-1');
  const ids = new Set([...jobs.map((key) => key.split(':').at(-1) ?? ''), ...live]);
  expect([...ids].filter((id) => !taken.has(id))).toEqual([]);
  expect(taken.size).toBeGreaterThan(known.length);
  const staged = await namesIn(join(rig.dir, 'inputs', 'staging'));
  expect(staged.filter((name) => !taken.has(name.split('.')[0] ?? ''))).toEqual([]);
  expect((await http.call('GET', '/readyz')).status).toBe(200);
});

function idsIn({ status, body }: Answer): string[] {
  if (status !== 200 && status !== 202) return [];
  const { id, enqueued, results } = (body ?? {}) as Record<string, unknown>;
  const one = typeof id === 'string' && enqueued !== undefined ? [id] : [];
  return [
    ...one,
    ...(Array.isArray(results) ? results.flatMap((each) => (each.id === null ? [] : [String(each.id)])) : []),
  ];
}

describe('over a raw socket', () => {
  const auth = () => `authorization: Bearer ${secret}`;

  /** @returns everything received until the server closes the connection or `until` matches. */
  function raw(text: string | Buffer, until = /\r\n\r\n\{.*\}$/s): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(http.url);
      const socket = connect(Number(port), hostname, () => void socket.write(text));
      let seen = '';
      socket.setEncoding('utf8');
      socket.on('data', (piece: string) => {
        seen += piece;
        if (until.test(seen)) socket.destroy();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(seen));
    });
  }

  it.each([
    ['bytes that are not HTTP', () => 'hello\r\n\r\n'],
    ['another protocol', () => '\u0016\u0003\u0001\u0002\u0000'],
    ['a header without a name', () => `GET /v1/gate HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n`],
    ['a header with a bare line feed', () => `GET /v1/gate HTTP/1.1\r\nhost: x\r\nx-purpose: a\nx-b\r\n\r\n`],
    ['two lengths', () => `POST /v1/gate HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}`],
    [
      'a length and chunks',
      () => `POST /v1/gate HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['an invalid length', () => `POST /v1/gate HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n`],
    ['headers that are too large', () => `GET / HTTP/1.1\r\nhost: x\r\nx-long: ${'y'.repeat(40_000)}\r\n\r\n`],
    [
      'an invalid chunk',
      () =>
        `POST /v1/gate HTTP/1.1\r\nhost: x\r\n${auth()}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
    ],
    ['a path with spaces', () => 'GET /v1/ver ifications HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a path with parent segments', () => `GET /v1/../../etc/passwd HTTP/1.1\r\nhost: x\r\n${auth()}\r\n\r\n`],
    ['a path with a broken escape', () => `GET /v1/verifications/%zz HTTP/1.1\r\nhost: x\r\n${auth()}\r\n\r\n`],
    ['an unknown method', () => 'BREW /v1/gate HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('answers %s with a problem', async (_what, text) => {
    const answer = await raw(text());
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as object;
    expect(problem).toMatchObject({
      code: expect.any(String),
      cure: expect.any(String),
      requestId: expect.any(String),
    });
  });

  it('a line break in a parameter does not add a header to the answer', async () => {
    const answer = await http.call('GET', `/v1/verifications/${encodeURIComponent('x\r\nset-cookie: a=b')}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('set-cookie')).toBeNull();
  });

  it('an aborted multipart body leaves no file, and a refused one leaves its connection usable', async () => {
    const staging = join(rig.dir, 'inputs', 'staging');
    const staged = () => namesIn(staging);
    const before = await staged();
    const live = sampleLiveData({ card: 'match' });
    const head = `POST /v1/verifications HTTP/1.1\r\nhost: x\r\n${auth()}\r\ncontent-type: multipart/form-data; boundary=B\r\n`;
    const part = (name: string) => `--B\r\ncontent-disposition: form-data; name="${name}"; filename="a"\r\n\r\n`;
    const { hostname, port } = new URL(http.url);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`${head}content-length: 9999999\r\n\r\n${part('liveData')}`);
        socket.write(live, () => setImmediate(() => socket.destroy()));
      });
      socket.on('close', () => resolve());
    });
    await expect.poll(async () => (await staged()).filter((name) => name.startsWith('.'))).toEqual([]);

    const body = Buffer.concat([
      Buffer.from(part('liveData')),
      Buffer.alloc(4_000_000, 7),
      Buffer.from('\r\n--B--\r\n'),
    ]);
    const refused = Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`), body]);
    const next = Buffer.from(`GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n`);
    const both = await raw(Buffer.concat([refused, next]), /"status":"ok"/);
    expect(both).toMatch(/^HTTP\/1\.1 400 /);
    expect(both).toContain('SOURCE_WRONG_KIND');
    expect(both).toMatch(/HTTP\/1\.1 200 OK/);
    expect((await staged()).filter((name) => !before.includes(name))).toEqual([]);
  });

  it('a body that is too large is refused, with or without a declared length', async () => {
    const large = `{"key":"${'x'.repeat(1_100_000)}"}`;
    for (const length of [`content-length: ${large.length}`, 'transfer-encoding: chunked']) {
      const body = length.startsWith('content') ? large : `${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
      const answer = await raw(
        `POST /v1/verifications HTTP/1.1\r\nhost: x\r\n${auth()}\r\ncontent-type: application/json\r\n${length}\r\n\r\n${body}`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(answer).toContain('BODY_TOO_LARGE');
    }
  });
});
