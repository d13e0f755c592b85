/** Tests the behaviour in which the HTTP client differs from the Redis client: files, frames, and network errors. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleVideo } from '../../src/emulator/samples.ts';
import { BestframeHttpClient, type HttpClientOptions } from '../../src/index.ts';
import { namesIn } from '../support/folders.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;
let http: Http;
let client: BestframeHttpClient;
const opened: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  await rig.openWorker();
  http = await openHttp(rig);
  client = remote();
});
afterEach(async () => {
  for (const close of opened.splice(0)) await close();
  await rig.control.clearFaults();
});
afterAll(async () => {
  await client.close();
  await http.close();
  await rig.dispose();
});

function remote(options: Partial<HttpClientOptions> = {}): BestframeHttpClient {
  return new BestframeHttpClient({ url: http.url, key: http.secret, ...options });
}

/** A proxy between client and API. @returns its address, and the requests that it received */
async function between(handle: (request: IncomingMessage, response: ServerResponse, count: number) => void) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    handle(request, response, seen.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Forwards a request to the API. */
function through(request: IncomingMessage, response: ServerResponse): void {
  const { method, url: path, headers } = request;
  const onward = ask(`${http.url}${path}`, { method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    pipeline(answer, response, () => undefined); // either side may disconnect
  });
  onward.on('error', () => response.destroy());
  pipeline(request, onward, () => undefined);
  response.once('close', () => onward.destroy());
}

const refusal = (status: number, code: string) => (response: ServerResponse) =>
  response
    .writeHead(status, { 'content-type': 'application/problem+json', 'retry-after': '1' })
    .end(JSON.stringify({ code, detail: `it is ${code}`, field: null, requestId: 'r-1' }));

describe('files', () => {
  it('are uploaded from any folder of this machine, unless settings restrict it', async () => {
    const far = join(rig.dir, 'elsewhere.mp4');
    const video = Buffer.concat([sampleVideo({ card: 'match' }), randomBytes(5 * 1024 * 1024)]);
    await writeFile(far, video);
    const image = join(rig.dir, 'elsewhere.jpg');
    await writeFile(image, sampleImage('elsewhere'));
    const asked = {
      key: 'elsewhere',
      region: 'ap-singapore',
      upload: 'own-bucket',
      action: 'VideoLivenessCompare',
      liveness: { type: 'SILENT' },
      resources: { video: { from: 'file', path: far }, image: { from: 'file', path: image } },
    } as const;
    expect(await client.verify(asked)).toMatchObject({ next: 'accept' });
    expect(await client.enqueue(asked)).toMatchObject({ status: 'same' });

    const strict = remote({ fileRoots: [join(rig.dir, 'inputs')] });
    await expect(strict.enqueue(asked)).rejects.toMatchObject({
      code: 'SOURCE_OUTSIDE_ROOTS',
      field: 'resources.video',
    });
    const workers = remote({ files: 'workers' });
    await expect(workers.enqueue({ ...asked, key: 'theirs' })).rejects.toMatchObject({ code: 'PLACE_FORBIDDEN' });
    // The API refuses the request before the upload is complete, and the client must still read the answer.
    const unknown = remote({ key: http.secret.replace(/.{8}$/, 'A'.repeat(8)) });
    await expect(unknown.enqueue({ ...asked, key: 'unknown' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await Promise.all([strict.close(), workers.close(), unknown.close()]);
  });

  it('are refused if they change during the upload', async () => {
    const path = await rig.file('changing.mp4', Buffer.concat([sampleVideo({ card: 'match' }), Buffer.alloc(5e6)]));
    const image = await rig.file('changing.jpg', sampleImage('changing'));
    const { url } = await between((request, response) => {
      void writeFile(path, Buffer.concat([sampleVideo({ card: 'match' }), Buffer.alloc(5e6, 1)])).then(() =>
        through(request, response),
      );
    });
    const proxied = remote({ url });
    const resources = { video: { from: 'file', path }, image: { from: 'file', path: image } } as const;
    const asked = { key: 'changing', region: 'ap-singapore', upload: 'own-bucket', resources } as const;
    const video = { ...asked, action: 'VideoLivenessCompare', liveness: { type: 'SILENT' } } as const;
    await expect(proxied.enqueue(video)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(await client.getByKey('changing')).toBeNull();
    const staged = join(rig.dir, 'inputs', 'staging');
    await expect.poll(async () => (await namesIn(staged)).filter((name) => name.startsWith('.'))).toEqual([]);
    await proxied.close();
  });
});

describe('the best frame', () => {
  it('is the stored frame, or null if there is none', async () => {
    const { id } = await client.enqueue(await rig.request('picture'));
    const view = await client.wait(id, { until: 'ended' });
    const frame = await client.bestFrame(id);
    expect(frame).toMatchObject({ bytes: view?.bestFrame?.bytes, md5: view?.bestFrame?.md5 });
    const bytes = Buffer.from(await new Response(frame?.stream).arrayBuffer());
    expect(bytes.byteLength).toBe(frame?.bytes);
    expect(bytes.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    const { id: none } = await client.verify(
      await rig.request('no-picture', { card: 'match' }, { frame: { to: 'none' } }),
    );
    await client.wait(none, { until: 'ended' });
    expect(await client.bestFrame(none)).toBeNull();
    expect(await client.bestFrame(`v${'0'.repeat(25)}`)).toBeNull();
  });
});

describe('the network', () => {
  it('retries idempotent requests a few times', async () => {
    const asked = await rig.request('again');
    const { url, seen } = await between((request, response, count) => {
      if (count === 1) request.socket.destroy();
      else if (count === 2) refusal(503, 'REDIS_UNAVAILABLE')(response);
      else if (count === 3) response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>');
      else through(request, response);
    });
    const proxied = remote({ url });
    expect(await proxied.enqueue(asked)).toMatchObject({ status: 'new', key: 'again' });
    expect(seen).toHaveLength(4);
    await proxied.close();
  });

  it('sends other requests once, unless the rate limit refused them', async () => {
    const { url, seen } = await between((_request, response, count) =>
      refusal(count === 1 ? 429 : 503, count === 1 ? 'RATE_LIMITED' : 'AUDIT_UNAVAILABLE')(response),
    );
    const proxied = remote({ url });
    const steering = proxied.steerGate({ region: 'ap-singapore', action: DETECT }, 'pause', {
      by: 'officer',
      why: 'a drill',
    });
    await expect(steering).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      message: 'it is AUDIT_UNAVAILABLE',
      httpStatus: 503,
      retryAfterMs: 1_000,
    });
    expect(seen).toHaveLength(2);
    await proxied.close();
  });

  it('waits between two chunks as long as the rate of the key demands', async () => {
    const requests = [await rig.request('chunk-1'), await rig.request('chunk-2')];
    const { url, seen } = await between((request, response, count) => {
      if (count !== 2) return through(request, response);
      const detail = { code: 'RATE_LIMITED', detail: 'it is RATE_LIMITED', field: null, requestId: 'r-1' };
      response.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '2.1' }); // longer than one retry waits
      response.end(JSON.stringify(detail));
    });
    const proxied = remote({ url, files: 'workers' });
    const results = await proxied.enqueueMany(requests, { chunk: 1 });
    expect(results.map(({ status }) => status)).toEqual(['new', 'new']);
    expect(seen).toHaveLength(3);
    await proxied.close();
  });

  it('reconnects a watch after a broken stream, without repeating an entry', async () => {
    const object = rig.client.forTenant('acme').idOf('broken');
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object });
    const { id } = await client.enqueue(await rig.request('broken'));
    await rig.control.waitFor({ event: 'held', object });
    const { url, seen } = await between(through);
    const proxied = remote({ url });
    const steps: string[][] = [];
    for await (const view of proxied.watch(id, AbortSignal.timeout(50_000))) {
      steps.push(view.history.map(({ stage = '' }) => stage));
      if (steps.length > 1) continue;
      seen[0]?.socket.destroy();
      await rig.control.release(hold);
    }
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)?.headers['last-event-id']).toBeDefined();
    expect(steps.at(-1)).toEqual(['upload', 'md5', 'detect', 'download']);
    expect(new Set(steps.map(String)).size).toBe(steps.length);
    await proxied.close();
  });

  it('reports an unreachable server or one that is not Bestframe, without the key in any error', async () => {
    const gone = await between((_request, response) => void response.end());
    await opened.pop()?.();
    const strange = await between((_request, response) => void response.writeHead(200).end('hello'));
    const redirecting = await between(
      (_request, response) => void response.writeHead(302, { location: `${strange.url}/stolen` }).end(),
    );
    for (const { url } of [gone, strange, redirecting]) {
      const lost = remote({ url });
      const asked = await rig.request('lost');
      const id = `v${'0'.repeat(25)}`;
      for (const call of [
        () => lost.get(id),
        () => lost.enqueue(asked),
        () => lost.enqueueMany([asked]),
        () => lost.wait(id),
        () => lost.bestFrame(id),
      ]) {
        const error = await call().then(
          () => null,
          (reason: unknown) => reason,
        );
        expect(error).toMatchObject({ name: 'Failure', code: 'API_UNAVAILABLE' });
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(http.secret);
      }
      expect(inspect(lost, { depth: 9, showHidden: true })).not.toContain(http.secret);
      await lost.close();
    }
    expect(strange.seen.map(({ url }) => url)).not.toContain('/stolen');
  });

  it('reports a missing scope, and ends its waits when it is closed', async () => {
    const submitter = remote({ key: await http.keyFor({ scopes: ['submit'] }) });
    expect(await submitter.verify(await rig.request('submitter'))).toMatchObject({ next: 'accept' });
    await expect(submitter.gates()).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringMatching(/operate/),
    });
    const many = submitter.enqueueMany([await rig.request('submitter-2')]);
    expect(await many).toMatchObject([{ status: 'new' }]);
    await submitter.close();

    const object = rig.client.forTenant('acme').idOf('closing');
    const hold = await rig.control.fault({ kind: 'hold', action: DETECT, object });
    const closing = remote();
    const { id } = await closing.enqueue(await rig.request('closing'));
    await rig.control.waitFor({ event: 'held', object });
    const waiting = closing.wait(id);
    await closing.close();
    await expect(waiting).rejects.toMatchObject({ code: 'API_UNAVAILABLE', message: expect.stringMatching(/closed/) });
    await rig.control.release(hold);
  });

  it('refuses invalid settings at once, without repeating them', () => {
    for (const url of ['', 'localhost:8080', 'ftp://host', 'https://user:secret@host', 'https://host/?a=secret']) {
      expect(() => remote({ url })).toThrow(expect.objectContaining({ code: 'INVALID_SETTINGS', field: 'url' }));
      expect(() => remote({ url })).not.toThrow(/secret/);
    }
    for (const key of ['', 'secret', `${http.secret}\r\nx: y`]) {
      expect(() => remote({ key })).toThrow(expect.objectContaining({ code: 'INVALID_SETTINGS', field: 'key' }));
    }
  });
});
