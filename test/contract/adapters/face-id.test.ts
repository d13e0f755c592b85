/**
 * Tests the adapter of FaceID, which uses the vendor's SDK, against the emulator and a scripted server: every answer,
 * every way in which an answer can be missing, and whether each call may be billed.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { fileCredentials } from '../../../src/adapters/credentials/keys-file.ts';
import type { FaceIdOptions } from '../../../src/adapters/faceid/call-sender.ts';
import { createFaceId } from '../../../src/adapters/faceid/face-id.ts';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import type { DetectInput, FaceId, PaidTurn } from '../../../src/domain/ports.ts';
import { type Card, sampleImage, sampleLiveData } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  type ScriptedServer,
  startScriptedServer,
  streamOf,
  unusedPort,
} from './support.ts';

const ACTION = 'DetectReflectLivenessAndCompare';
const KEYS = { secretId: 'AKIDsomebodyelse000000000000000000000', secretKey: 'another-secret-key-0000000000000000' };

let bench: Bench;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  bench = await openBench();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  await bench.control.reset();
});
afterAll(() => bench.close());

function faceId(options: Partial<FaceIdOptions> = {}): FaceId & { close(): Promise<void> } {
  const client = createFaceId({
    ...bench.connectorOptions,
    credentials: staticCredentials(bench.emulator.credentials),
    ...options,
  });
  opened.push(client);
  return client;
}

async function startServer(
  handler: RequestListener,
  connect?: Parameters<typeof startScriptedServer>[1],
): Promise<ScriptedServer> {
  const started = await startScriptedServer(handler, connect);
  opened.push(started);
  return started;
}

const clientThrough = ({ proxyUrl, caFile }: ScriptedServer) => faceId({ proxy: proxyUrl, caFile });

async function inputOf(card: Card): Promise<DetectInput> {
  const resources = { liveData: sampleLiveData(card), image: sampleImage() };
  const links = await Promise.all(
    Object.entries(resources).map(async ([name, bytes]) => {
      const key = `contract/${card.card}/${name}`;
      await bench.control.putObject(bench.bucket.name, key, bytes);
      const link = await bench.bucket.signGet({ bucket: bench.bucket.name, region: REGION, key }, 60_000);
      return [name, { link, md5: md5Hex(bytes) }];
    }),
  );
  return { links: Object.fromEntries(links) };
}

/** Parameters whose links nobody reads. */
const UNREAD_LINKS: DetectInput = {
  links: {
    liveData: { link: 'https://a-1250000000.cos.ap-singapore.myqcloud.com/a?q-sign=1', md5: '0'.repeat(32) },
    image: { link: 'https://a-1250000000.cos.ap-singapore.myqcloud.com/b?q-sign=1', md5: '1'.repeat(32) },
  },
};

/** Provides the call's parameters at once, without a wait for a rate-limit slot. */
function at(input: DetectInput, signal = neverAborted()): () => Promise<PaidTurn> {
  return async () => ({ input, signal, missed: () => false });
}
const anyTime = at(UNREAD_LINKS);

const paid = () => bench.control.calls({ service: 'faceid', action: ACTION });

function answer(response: ServerResponse, fields: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ Response: { ...fields, RequestId: 'r-1' } }));
}

describe('a light sequence', () => {
  test('is returned as a link with its MD5, for the requested security level', async () => {
    const server = await startServer((request, response) => {
      request.toArray().then(
        (pieces) => bodies.push(JSON.parse(Buffer.concat(pieces).toString())),
        () => undefined,
      );
      request.once('end', () =>
        answer(response, { ReflectSequenceUrl: 'https://sequence', ReflectSequenceMd5: 'A'.repeat(32) }),
      );
    });
    const bodies: unknown[] = [];
    const input = { link: 'https://device', md5: '0'.repeat(32), securityLevel: '3' };
    const turn = async () => ({ missed: () => false });
    const found = await clientThrough(server).generateSequence(REGION, input, turn, neverAborted());
    expect(found).toEqual({ url: 'https://sequence', md5: 'a'.repeat(32), requestId: 'r-1' });
    await clientThrough(server).generateSequence(REGION, { link: input.link, md5: input.md5 }, turn, neverAborted());
    const parameters = { DeviceDataUrl: 'https://device', DeviceDataMd5: '0'.repeat(32) };
    expect(bodies).toEqual([{ ...parameters, SecurityLevel: '3' }, parameters]);
  });

  test.each([
    ['without a link', { ReflectSequenceMd5: '0'.repeat(32) }],
    ['without an MD5', { ReflectSequenceUrl: 'https://sequence', ReflectSequenceMd5: '' }],
  ])('an answer %s has an unknown shape, and the call is not repeated', async (_case, fields) => {
    let asked = 0;
    const server = await startServer((_request, response) => {
      asked += 1;
      answer(response, fields);
    });
    const input = { link: 'https://device', md5: '0'.repeat(32) };
    await expectFailure(
      clientThrough(server).generateSequence(REGION, input, async () => ({ missed: () => false }), neverAborted()),
      {
        code: 'REPLY_SHAPE',
        sent: 'maybe',
        class: 'transient',
      },
    );
    expect(asked).toBe(1);
  });
});

describe('answers', () => {
  test('a match has a similarity and a frame', async () => {
    const found = await faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), neverAborted());
    expect(found).toMatchObject({ result: 'Success', similarity: 92.61 });
    expect(found.requestId).not.toBe('');
    expect(found.bestFrame?.md5).toMatch(/^[0-9a-f]{32}$/);
    expect(found.bestFrame?.url).toMatch(/^https:/);
    expect(found.bestFrame?.expiresAt).toBeGreaterThan(Date.now());
    expect(await paid()).toMatchObject([{ billed: true, code: 'Success' }]);
  });

  test('a Result other than Success is a normal answer', async () => {
    const found = await faceId().detect(ACTION, REGION, at(await inputOf({ card: 'spoof' })), neverAborted());
    expect(found).toMatchObject({ result: 'FailedOperation.LivessDetectFake', bestFrame: null });
  });

  test('the same code in the error channel is an answered failure', async () => {
    const input = await inputOf({ card: 'spoof', channel: 'error' });
    const failure = await expectFailure(faceId().detect(ACTION, REGION, at(input), neverAborted()), {
      service: 'faceid',
      channel: 'error',
      code: 'FailedOperation.LivessDetectFake',
      sent: 'answered',
      class: 'rejected',
    });
    expect(failure.requestId).toBe((await paid())[0]?.requestId);
  });

  test.each([
    ['FailedOperation.DownLoadError', 'reupload'],
    ['RequestLimitExceeded', 'throttled'],
    ['ResourceUnavailable.InArrears', 'account'],
    ['InternalError', 'transient'],
    ['FailedOperation.NotInTheTable', 'unknown'],
  ])('%s is of class %s', async (code, kind) => {
    await bench.control.fault({ kind: 'error', action: ACTION, code });
    await expectFailure(faceId().detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      code,
      sent: 'answered',
      class: kind,
    });
  });

  test('a link in the vendor’s message is removed', async () => {
    const message = 'cannot read https://a-1250000000.cos.ap-singapore.myqcloud.com/a?q-signature=1';
    await bench.control.fault({ kind: 'error', action: ACTION, code: 'InternalError', message });
    const failure = await expectFailure(faceId().detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      class: 'transient',
    });
    expect(failure.message).toBe('cannot read <link>');
  });

  test('wrong keys are a failure of class account', async () => {
    const stranger = faceId({ credentials: staticCredentials(KEYS) });
    await expectFailure(stranger.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      sent: 'answered',
      class: 'account',
    });
  });

  test('a wrong clock is reported with its offset', async () => {
    await bench.control.settings({ clockSkewMs: 3_600_000 });
    const failure = await expectFailure(faceId().detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      code: 'AuthFailure.SignatureExpire',
      class: 'account',
    });
    expect(failure.message).toMatch(/clock is 3\d{3} s behind/);
  });
});

describe('calls that provably were not sent', () => {
  const unsent = (client: FaceId, code: string, kind = 'transient') =>
    expectFailure(client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), { code, sent: 'no', class: kind });

  test('the connection is refused', async () => {
    const client = faceId({ proxy: undefined, endpoint: `localhost:${await unusedPort()}` });
    await unsent(client, 'CONNECT_REFUSED');
  });

  test('the host has no address', async () => {
    const client = faceId({ proxy: undefined, endpoint: 'nowhere.invalid', connectTimeoutMs: 3_000 });
    const failure = await expectFailure(client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      sent: 'no',
      class: 'transient',
    });
    expect(['DNS_FAILED', 'CONNECT_TIMEOUT']).toContain(failure.code); // CONNECT_TIMEOUT if DNS does not answer
  });

  test('the connection to the proxy is refused', async () => {
    await unsent(faceId({ proxy: `http://127.0.0.1:${await unusedPort()}` }), 'PROXY_REFUSED');
  });

  test.each([403, 407, 502])('the proxy refuses with %i', async (status) => {
    const server = await startServer(
      () => undefined,
      (socket) => socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`),
    );
    expect(await unsent(clientThrough(server), 'PROXY_REFUSED')).toMatchObject({ httpStatus: status });
  });

  test('the proxy closes the connection', async () => {
    const server = await startServer(
      () => undefined,
      (socket) => socket.destroy(),
    );
    await unsent(clientThrough(server), 'PROXY_REFUSED');
  });

  test('the proxy does not answer', async () => {
    const server = await startServer(
      () => undefined,
      () => undefined,
    );
    await unsent(faceId({ proxy: server.proxyUrl, connectTimeoutMs: 100 }), 'PROXY_REFUSED');
  });

  test('the server closes the connection during the handshake', async () => {
    const server = await startServer(
      () => undefined,
      (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n', () => socket.destroy()),
    );
    await unsent(clientThrough(server), 'TLS_FAILED');
  });

  test('the certificate comes from an unknown CA', async () => {
    const server = await startServer(() => undefined);
    await unsent(faceId({ proxy: server.proxyUrl, caFile: undefined }), 'TLS_FAILED');
    expect(server.requests).toHaveLength(0);
  });

  test('the certificate is for another host', async () => {
    const server = await startServer(() => undefined);
    const client = faceId({ proxy: undefined, caFile: server.caFile, endpoint: `127.0.0.1:${server.port}` });
    await unsent(client, 'TLS_FAILED');
    expect(server.requests).toHaveLength(0);
  });

  test('the peer is the emulator, but the mode is live', async () => {
    await unsent(faceId({ mode: 'live' }), 'EMULATOR_IN_LIVE_MODE', 'account');
    expect(await bench.control.calls({ service: 'faceid' })).toHaveLength(0);
  });

  test('there are no credentials', async () => {
    const path = join(bench.dir, 'none.json');
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
    await writeFile(path, JSON.stringify({ ...KEYS, expiresAt: '2020-01-01T00:00:00Z' }));
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
    await writeFile(path, 'AKID secret-key');
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
  });

  test('the signal fired before the call', async () => {
    const client = faceId();
    await expectFailure(client.detect(ACTION, REGION, at(UNREAD_LINKS, AbortSignal.abort()), AbortSignal.abort()), {
      code: 'ABORTED',
      sent: 'no',
      class: 'transient',
    });
    expect(await bench.control.calls()).toHaveLength(0);
  });

  test('the signal fires while the connection is being opened, and the connection is destroyed', async () => {
    let connected: (socket: Duplex) => void = () => undefined;
    const asked = new Promise<Duplex>((resolve) => {
      connected = resolve;
    });
    const server = await startServer(() => undefined, connected);
    const giveUp = new AbortController();
    const call = clientThrough(server).detect(ACTION, REGION, at(UNREAD_LINKS, giveUp.signal), giveUp.signal);
    const socket = await asked;
    socket.resume().on('error', () => undefined); // the connection may be reset
    giveUp.abort();
    await expectFailure(call, { code: 'ABORTED', sent: 'no', class: 'transient' });
    await expect.poll(() => socket.destroyed || socket.readableEnded, { timeout: 20_000 }).toBe(true);
  });
});

/** The number of TCP connections of this process, both ends of a connection to itself counted. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
}

describe('a prepared call', () => {
  test('is sent on the connection that was opened before it', async () => {
    const server = await startServer((_request, response) => answer(response, { Result: 'Success' }));
    const client = clientThrough(server);
    const { signal } = new AbortController();
    client.prepareCall(signal);
    await expect.poll(() => server.tunnelled.length).toBe(1);
    expect(server.requests).toHaveLength(0);
    await client.detect(ACTION, REGION, anyTime, signal);
    expect(server.requests).toHaveLength(1);
    expect(server.tunnelled).toHaveLength(1);
    await client.detect(ACTION, REGION, anyTime, signal); // a connection serves one call
    expect(server.tunnelled).toHaveLength(2);
  });

  test('opens another connection if the prepared one was closed meanwhile', async () => {
    const server = await startServer((_request, response) => answer(response, { Result: 'Success' }));
    const client = clientThrough(server);
    const { signal } = new AbortController();
    const before = openSockets();
    client.prepareCall(signal);
    await expect.poll(() => server.tunnelled.length).toBe(1);
    server.tunnelled[0]?.destroy();
    await expect.poll(openSockets, { timeout: 20_000 }).toBeLessThanOrEqual(before); // the client has noticed it
    await client.detect(ACTION, REGION, anyTime, signal);
    expect(server.requests).toHaveLength(1);
    expect(server.tunnelled).toHaveLength(2);
  });

  test('closes its connection if it is not made', async () => {
    const server = await startServer((_request, response) => answer(response, { Result: 'Success' }));
    const client = clientThrough(server);
    const { signal } = new AbortController();
    client.prepareCall(signal);
    await expect.poll(() => server.tunnelled.length).toBe(1);
    client.forgetCall(signal);
    await expect.poll(() => server.tunnelled[0]?.destroyed, { timeout: 20_000 }).toBe(true); // by a reset or an orderly end
  });
});

describe('calls that may have been sent', () => {
  test.each(['before', 'after'] as const)('the connection drops %s the call is executed', async (when) => {
    await bench.control.fault({ kind: 'drop', action: ACTION, when });
    const call = faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), neverAborted());
    await expectFailure(call, { code: 'RESET', sent: 'maybe', class: 'transient' });
    expect(await paid()).toMatchObject([{ billed: when === 'after', replied: false }]);
  });

  test('the answer is truncated', async () => {
    await bench.control.fault({ kind: 'cut', action: ACTION });
    const call = faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), neverAborted());
    await expectFailure(call, { code: 'RESET', sent: 'maybe', httpStatus: 200, class: 'transient' });
    expect(await paid()).toHaveLength(1);
  });

  test('the call exceeds its time limit', async () => {
    await bench.control.fault({ kind: 'hold', action: ACTION });
    const call = faceId({ callTimeoutMs: 300 }).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('the answer begins and stalls', async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"Response":');
    });
    const client = faceId({ proxy: server.proxyUrl, caFile: server.caFile, callTimeoutMs: 300 });
    const call = client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('the signal fires while the vendor works: the call and its connection end at once', async () => {
    let arrived: (response: ServerResponse) => void = () => undefined;
    const working = new Promise<ServerResponse>((resolve) => {
      arrived = resolve;
    });
    const server = await startServer((_request, response) => arrived(response));
    const giveUp = new AbortController();
    const call = clientThrough(server).detect(ACTION, REGION, at(UNREAD_LINKS, giveUp.signal), giveUp.signal);
    const torn = once(await working, 'close');
    giveUp.abort();
    await expectFailure(call, { code: 'ABORTED', sent: 'maybe', class: 'transient' });
    await torn;
  });

  test('the client is closed', async () => {
    await bench.control.fault({ kind: 'hold', action: ACTION });
    const client = faceId();
    const call = client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    const failed = expectFailure(call, { code: 'ABORTED', sent: 'maybe', class: 'transient' });
    await bench.control.waitFor({ event: 'held' });
    await client.close();
    await failed;
  });

  test.each([
    ['HTML instead of JSON', '<html>hello</html>'],
    ['an empty body', ''],
    ['no Response', '{}'],
    ['null', 'null'],
    ['an error without a RequestId', '{"Response":{"Error":{"Code":"InternalError","Message":"m"}}}'],
  ])('the answer has %s', async (_case, body) => {
    const server = await startServer((_request, response) => response.end(body));
    const call = clientThrough(server).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'MALFORMED_REPLY', sent: 'maybe', class: 'transient' });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    ['no Result', {}, '{RequestId:string}'],
    ['a Result that is a number', { Result: 0, Secret: 'x' }, '{Result:number,Secret:string,RequestId:string}'],
  ])('the answer has %s', async (_case, fields, shape) => {
    const server = await startServer((_request, response) => answer(response, fields));
    const call = clientThrough(server).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'REPLY_SHAPE', sent: 'maybe', class: 'transient', requestId: 'r-1', shape });
    expect(server.requests).toHaveLength(1);
  });

  test.each([500, 502, 503, 504])('the vendor answers status %i', async (status) => {
    await bench.control.fault({ kind: 'status', action: ACTION, status });
    const call = faceId().detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'HTTP_5XX', sent: 'maybe', httpStatus: status, class: 'transient' });
    expect(await paid()).toHaveLength(1);
  });
});

describe('a status that shows that the call was not executed', () => {
  test('429 keeps its Retry-After', async () => {
    await bench.control.fault({ kind: 'status', action: ACTION, status: 429, retryAfterS: 7 });
    const call = faceId().detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    const failure = await expectFailure(call, { code: 'HTTP_429', sent: 'answered', class: 'throttled' });
    expect(failure.retryAfterMs).toBe(7_000);
  });

  test('a redirect is not followed', async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(307, { location: 'https://elsewhere.example.com/' });
      response.end();
    });
    const call = clientThrough(server).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(call, { code: 'HTTP_3XX', sent: 'answered', httpStatus: 307, class: 'account' });
    expect(server.requests).toHaveLength(1);
    expect(server.tunnels).toHaveLength(1);
  });
});

describe('connections', () => {
  const answering: RequestListener = (request, response) => {
    request.resume();
    if (request.headers['x-tc-action'] === ACTION) return answer(response, { Result: 'Success', Sim: 90 });
    const link = 'https://a-1250000000.cos.ap-singapore.myqcloud.com/a';
    answer(response, { UploadUrl: link, ResourceUrl: link, ExpiredTimestamp: 2_000_000_000 });
  };

  test('are new for each call', async () => {
    const server = await startServer(answering);
    const client = clientThrough(server);
    await client.createUploadUrl(ACTION, REGION, anyTime, neverAborted());
    await client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await client.createUploadUrl(ACTION, REGION, anyTime, neverAborted());
    expect(server.connections()).toBe(4);
  });

  test('are open before the turn comes, and nothing is sent before the turn', async () => {
    const server = await startServer(answering);
    const client = clientThrough(server);
    const look = async () => {
      await expect.poll(server.connections).toBe(server.requests.length + 1);
    };
    const turn = () => look().then(anyTime);
    await client.createUploadUrl(ACTION, REGION, turn, neverAborted());
    await client.detect(ACTION, REGION, turn, neverAborted());
    expect(server.requests).toHaveLength(2);
  });

  test('have sent nothing if they break before the turn comes', async () => {
    const server = await startServer(answering);
    const hangUp = async () => {
      await expect.poll(server.connections).toBe(1);
      await Promise.all(server.tunnelled.map((socket) => once(socket.end(), 'close')));
      return anyTime();
    };
    await expectFailure(clientThrough(server).detect(ACTION, REGION, hangUp, neverAborted()), {
      code: 'RESET',
      sent: 'no',
      class: 'transient',
    });
    expect(server.requests).toEqual([]);
  });

  test('carry the request in the first turn that was not missed', async () => {
    const server = await startServer(answering);
    const missed = [true, true, false];
    const turns: number[] = [];
    const turn = async () => {
      turns.push(server.requests.length);
      return { ...(await anyTime()), missed: () => missed[turns.length - 1] ?? false };
    };
    expect(await clientThrough(server).detect(ACTION, REGION, turn, neverAborted())).toMatchObject({
      result: 'Success',
    });
    expect(turns).toEqual([0, 0, 0]);
    expect(server.requests).toHaveLength(1);
    expect(server.connections()).toBe(1);
  });

  test('send nothing if the turn throws, and the call throws the same error', async () => {
    const server = await startServer(answering);
    const withheld = new Error('withheld');
    const call = clientThrough(server).detect(ACTION, REGION, () => Promise.reject(withheld), neverAborted());
    await expect(call).rejects.toBe(withheld);
    expect(server.requests).toEqual([]);
  });

  test('bypass the proxy for hosts in NO_PROXY', async () => {
    const server = await startServer(answering);
    const past = {
      proxy: `http://127.0.0.1:${await unusedPort()}`,
      caFile: server.caFile,
      endpoint: `localhost:${server.port}`,
    };
    const client = faceId({ ...past, noProxy: `other.example, localhost:${server.port}` });
    await expect(client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted())).resolves.toMatchObject({
      result: 'Success',
    });
    await expectFailure(faceId(past).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted()), {
      code: 'PROXY_REFUSED',
      class: 'transient',
    });
  });

  test('send user and password to the proxy only', async () => {
    const server = await startServer(answering);
    const client = faceId({ proxy: server.proxyUrl.replace('//', '//us%40er:pass@'), caFile: server.caFile });
    await client.detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    const expected = `Basic ${Buffer.from('us@er:pass').toString('base64')}`;
    expect(server.tunnels[0]?.request.headers['proxy-authorization']).toBe(expected);
    expect(server.requests[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  test('trust a TLS proxy through the same CA file', async () => {
    const server = await startServer(answering);
    const proxy = `https://localhost:${server.port}`;
    const call = faceId({ proxy, caFile: server.caFile }).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expect(call).resolves.toMatchObject({ result: 'Success' });
    const untrusting = faceId({ proxy, caFile: undefined }).detect(ACTION, REGION, at(UNREAD_LINKS), neverAborted());
    await expectFailure(untrusting, { code: 'PROXY_REFUSED', sent: 'no', class: 'transient' });
  });

  test('close although an error page was not read to its end', async () => {
    let closed: Promise<unknown> | undefined;
    const server = await startServer((_request, response) => {
      closed = once(response, 'close');
      response.writeHead(404, { 'content-length': String(2 ** 24) });
      response.write(Buffer.alloc(2 ** 22));
    });
    await expectFailure(clientThrough(server).createUploadUrl(ACTION, REGION, anyTime, neverAborted()), {
      code: 'HTTP_4XX',
      class: 'account',
    });
    await closed;
  });

  test('reject invalid settings when the client is created', async () => {
    const broken = join(bench.dir, 'broken.pem');
    await writeFile(broken, 'no certificate');
    for (const options of [{ proxy: 'socks5://h:1' }, { caFile: broken }, { caFile: join(bench.dir, 'none.pem') }]) {
      const client = Promise.resolve().then(() => faceId(options));
      await expectFailure(client, { code: 'INVALID_SETTINGS', sent: 'no', class: 'account' });
    }
  });
});

describe('CreateUploadUrl', () => {
  test('returns a pair of working links', async () => {
    const pair = await faceId().createUploadUrl(ACTION, REGION, anyTime, neverAborted());
    const links = createLinkIo(bench.transport);
    const bytes = sampleImage();
    const head = { sizeBytes: bytes.length, md5: md5Hex(bytes), contentType: 'application/octet-stream' };
    await links.put(pair.putLink, () => streamOf(bytes), head, neverAborted());
    expect(await links.probe(pair.getLink, neverAborted())).toEqual({
      sizeBytes: bytes.length,
      etagMd5: md5Hex(bytes),
    });
    expect(pair.expiresAt).toBeGreaterThan(Date.now());
  });

  test('is retried at once after a hiccup, because it is not billed', async () => {
    await bench.control.fault({ kind: 'drop', action: 'CreateUploadUrl' });
    await faceId().createUploadUrl(ACTION, REGION, anyTime, neverAborted());
    expect(await bench.control.calls({ action: 'CreateUploadUrl' })).toHaveLength(2);
  });

  test('fails for links that are not https', async () => {
    const server = await startServer((_request, response) =>
      answer(response, { UploadUrl: 'http://a/b', ResourceUrl: 'http://a/b', ExpiredTimestamp: 1 }),
    );
    const call = clientThrough(server).createUploadUrl(ACTION, REGION, anyTime, neverAborted());
    await expectFailure(call, { code: 'REPLY_SHAPE', class: 'transient' });
  });
});
