/** FaceID through the vendor's SDK: every answer, every way to get none, and what is known of the money each time. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DetectInput, FaceId, PaidTurn } from '../../../src/domain/ports.ts';
import { type Card, sampleImage, sampleLiveData } from '../../../src/emulator/samples.ts';
import { fileCredentials, staticCredentials } from '../../../src/tencent/credentials.ts';
import { createFaceId, type FaceIdOptions } from '../../../src/tencent/face-id.ts';
import { createLinkIo } from '../../../src/transport/link-io.ts';
import {
  type Bench,
  deadPort,
  type Far,
  failing,
  inPieces,
  md5Of,
  never,
  openBench,
  REGION,
  startFar,
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
  const made = createFaceId({ ...bench.way, credentials: staticCredentials(bench.emulator.credentials), ...options });
  opened.push(made);
  return made;
}

async function far(handler: RequestListener, connect?: Parameters<typeof startFar>[1]): Promise<Far> {
  const started = await startFar(handler, connect);
  opened.push(started);
  return started;
}

const through = ({ proxyUrl, caFile }: Far) => faceId({ proxy: proxyUrl, caFile });

async function inputOf(card: Card): Promise<DetectInput> {
  const resources = { liveData: sampleLiveData(card), image: sampleImage() };
  const links = await Promise.all(
    Object.entries(resources).map(async ([name, bytes]) => {
      const key = `contract/${card.card}/${name}`;
      await bench.control.putObject(bench.bucket.name, key, bytes);
      const link = await bench.bucket.signGet({ bucket: bench.bucket.name, region: REGION, key }, 60_000);
      return [name, { link, md5: md5Of(bytes) }];
    }),
  );
  return { links: Object.fromEntries(links) };
}

/** Where nobody looks at the links. */
const SOME: DetectInput = {
  links: {
    liveData: { link: 'https://a-1250000000.cos.ap-singapore.myqcloud.com/a?q-sign=1', md5: '0'.repeat(32) },
    image: { link: 'https://a-1250000000.cos.ap-singapore.myqcloud.com/b?q-sign=1', md5: '1'.repeat(32) },
  },
};

/** A turn that comes at once. */
function at(input: DetectInput, signal = never()): () => Promise<PaidTurn> {
  return async () => ({ input, signal, missed: () => false });
}
const anyTime = at(SOME);

const paid = () => bench.control.calls({ service: 'faceid', action: ACTION });

function answer(response: ServerResponse, fields: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ Response: { ...fields, RequestId: 'r-1' } }));
}

describe('a light sequence', () => {
  test('comes as a link with its MD5, for the level that was asked for', async () => {
    const end = await far((request, response) => {
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
    const found = await through(end).generateSequence(REGION, input, turn, never());
    expect(found).toEqual({ url: 'https://sequence', md5: 'a'.repeat(32), requestId: 'r-1' });
    await through(end).generateSequence(REGION, { link: input.link, md5: input.md5 }, turn, never());
    const parameters = { DeviceDataUrl: 'https://device', DeviceDataMd5: '0'.repeat(32) };
    expect(bodies).toEqual([{ ...parameters, SecurityLevel: '3' }, parameters]);
  });

  test.each([
    ['without a link', { ReflectSequenceMd5: '0'.repeat(32) }],
    ['without an MD5 to check it by', { ReflectSequenceUrl: 'https://sequence', ReflectSequenceMd5: '' }],
  ])('that comes %s is none, and is not asked for again', async (_what, fields) => {
    let asked = 0;
    const end = await far((_request, response) => {
      asked += 1;
      answer(response, fields);
    });
    const input = { link: 'https://device', md5: '0'.repeat(32) };
    await failing(
      through(end).generateSequence(REGION, input, async () => ({ missed: () => false }), never()),
      {
        code: 'MALFORMED_REPLY',
        sent: 'maybe',
        class: 'transient',
      },
    );
    expect(asked).toBe(1);
  });
});

describe('answers', () => {
  test('a match comes with its similarity and its frame', async () => {
    const found = await faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), never());
    expect(found).toMatchObject({ result: 'Success', similarity: 92.61 });
    expect(found.requestId).not.toBe('');
    expect(found.bestFrame?.md5).toMatch(/^[0-9a-f]{32}$/);
    expect(found.bestFrame?.url).toMatch(/^https:/);
    expect(found.bestFrame?.expiresAt).toBeGreaterThan(Date.now());
    expect(await paid()).toMatchObject([{ billed: true, code: 'Success' }]);
  });

  test('a Result that is not Success is a plain answer', async () => {
    const found = await faceId().detect(ACTION, REGION, at(await inputOf({ card: 'spoof' })), never());
    expect(found).toMatchObject({ result: 'FailedOperation.LivessDetectFake', bestFrame: null });
  });

  test('the same code in the error channel is a failure that was answered', async () => {
    const input = await inputOf({ card: 'spoof', channel: 'error' });
    const failure = await failing(faceId().detect(ACTION, REGION, at(input), never()), {
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
    ['FailedOperation.NobodyKnows', 'unknown'],
  ])('%s is of class %s', async (code, kind) => {
    await bench.control.fault({ kind: 'error', action: ACTION, code });
    await failing(faceId().detect(ACTION, REGION, at(SOME), never()), { code, sent: 'answered', class: kind });
  });

  test('a link in the vendor’s words is cut out', async () => {
    const message = 'cannot read https://a-1250000000.cos.ap-singapore.myqcloud.com/a?q-signature=1';
    await bench.control.fault({ kind: 'error', action: ACTION, code: 'InternalError', message });
    const failure = await failing(faceId().detect(ACTION, REGION, at(SOME), never()), { class: 'transient' });
    expect(failure.message).toBe('cannot read <link>');
  });

  test('keys of somebody else are the operator’s to mend', async () => {
    const stranger = faceId({ credentials: staticCredentials(KEYS) });
    await failing(stranger.detect(ACTION, REGION, at(SOME), never()), { sent: 'answered', class: 'account' });
  });

  test('a wrong clock is named, with how wrong it is', async () => {
    await bench.control.settings({ clockSkewMs: 3_600_000 });
    const failure = await failing(faceId().detect(ACTION, REGION, at(SOME), never()), {
      code: 'AuthFailure.SignatureExpire',
      class: 'account',
    });
    expect(failure.message).toMatch(/clock is 3\d{3} s behind/);
  });
});

describe('provably unsent', () => {
  const unsent = (made: FaceId, code: string, kind = 'transient') =>
    failing(made.detect(ACTION, REGION, at(SOME), never()), { code, sent: 'no', class: kind });

  test('nobody listens', async () => {
    const made = faceId({ proxy: undefined, endpoint: `localhost:${await deadPort()}` });
    await unsent(made, 'CONNECT_REFUSED');
  });

  test('the host has no address', async () => {
    const made = faceId({ proxy: undefined, endpoint: 'nowhere.invalid', connectTimeoutMs: 3_000 });
    const failure = await failing(made.detect(ACTION, REGION, at(SOME), never()), { sent: 'no', class: 'transient' });
    expect(['DNS_FAILED', 'CONNECT_TIMEOUT']).toContain(failure.code); // the latter where DNS is silent
  });

  test('nobody listens where the proxy should be', async () => {
    await unsent(faceId({ proxy: `http://127.0.0.1:${await deadPort()}` }), 'PROXY_REFUSED');
  });

  test.each([403, 407, 502])('the proxy refuses with %i', async (status) => {
    const end = await far(
      () => undefined,
      (socket) => socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`),
    );
    expect(await unsent(through(end), 'PROXY_REFUSED')).toMatchObject({ httpStatus: status });
  });

  test('the proxy hangs up', async () => {
    const end = await far(
      () => undefined,
      (socket) => socket.destroy(),
    );
    await unsent(through(end), 'PROXY_REFUSED');
  });

  test('the proxy is silent', async () => {
    const end = await far(
      () => undefined,
      () => undefined,
    );
    await unsent(faceId({ proxy: end.proxyUrl, connectTimeoutMs: 100 }), 'PROXY_REFUSED');
  });

  test('the far end hangs up in the handshake', async () => {
    const end = await far(
      () => undefined,
      (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n', () => socket.destroy()),
    );
    await unsent(through(end), 'TLS_FAILED');
  });

  test('the certificate is of an unknown CA', async () => {
    const end = await far(() => undefined);
    await unsent(faceId({ proxy: end.proxyUrl, caFile: undefined }), 'TLS_FAILED');
    expect(end.requests).toHaveLength(0);
  });

  test('the certificate is for another host', async () => {
    const end = await far(() => undefined);
    const made = faceId({ proxy: undefined, caFile: end.caFile, endpoint: `127.0.0.1:${end.port}` });
    await unsent(made, 'TLS_FAILED');
    expect(end.requests).toHaveLength(0);
  });

  test('the emulator in live mode', async () => {
    await unsent(faceId({ mode: 'live' }), 'EMULATOR_IN_LIVE_MODE', 'account');
    expect(await bench.control.calls({ service: 'faceid' })).toHaveLength(0);
  });

  test('no credentials', async () => {
    const path = join(bench.dir, 'none.json');
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
    await writeFile(path, JSON.stringify({ ...KEYS, expiresAt: '2020-01-01T00:00:00Z' }));
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
    await writeFile(path, 'AKID secret-key');
    await unsent(faceId({ credentials: fileCredentials(path) }), 'NO_CREDENTIALS', 'account');
  });

  test('given up before it began', async () => {
    const made = faceId();
    await failing(made.detect(ACTION, REGION, at(SOME, AbortSignal.abort()), AbortSignal.abort()), {
      code: 'ABORTED',
      sent: 'no',
      class: 'transient',
    });
    expect(await bench.control.calls()).toHaveLength(0);
  });

  test('given up while the connection is opened, which is torn down', async () => {
    let connected: (socket: Duplex) => void = () => undefined;
    const asked = new Promise<Duplex>((resolve) => {
      connected = resolve;
    });
    const end = await far(() => undefined, connected);
    const giveUp = new AbortController();
    const call = through(end).detect(ACTION, REGION, at(SOME, giveUp.signal), giveUp.signal);
    const socket = await asked;
    const torn = once(socket.resume(), 'end');
    giveUp.abort();
    await failing(call, { code: 'ABORTED', sent: 'no', class: 'transient' });
    await torn;
  });
});

describe('perhaps sent', () => {
  test.each(['before', 'after'] as const)('the connection is dropped %s it was done', async (when) => {
    await bench.control.fault({ kind: 'drop', action: ACTION, when });
    const call = faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), never());
    await failing(call, { code: 'RESET', sent: 'maybe', class: 'transient' });
    expect(await paid()).toMatchObject([{ billed: when === 'after', replied: false }]);
  });

  test('the answer is cut', async () => {
    await bench.control.fault({ kind: 'cut', action: ACTION });
    const call = faceId().detect(ACTION, REGION, at(await inputOf({ card: 'match' })), never());
    await failing(call, { code: 'RESET', sent: 'maybe', httpStatus: 200, class: 'transient' });
    expect(await paid()).toHaveLength(1);
  });

  test('it takes longer than its limit', async () => {
    await bench.control.fault({ kind: 'hold', action: ACTION });
    const call = faceId({ callTimeoutMs: 300 }).detect(ACTION, REGION, at(SOME), never());
    await failing(call, { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('the answer begins and stalls', async () => {
    const end = await far((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{"Response":');
    });
    const made = faceId({ proxy: end.proxyUrl, caFile: end.caFile, callTimeoutMs: 300 });
    const call = made.detect(ACTION, REGION, at(SOME), never());
    await failing(call, { code: 'TIMEOUT', sent: 'maybe', class: 'transient' });
  });

  test('given up while the vendor works on it: at once, and the connection with it', async () => {
    let arrived: (response: ServerResponse) => void = () => undefined;
    const working = new Promise<ServerResponse>((resolve) => {
      arrived = resolve;
    });
    const end = await far((_request, response) => arrived(response));
    const giveUp = new AbortController();
    const call = through(end).detect(ACTION, REGION, at(SOME, giveUp.signal), giveUp.signal);
    const torn = once(await working, 'close');
    giveUp.abort();
    await failing(call, { code: 'ABORTED', sent: 'maybe', class: 'transient' });
    await torn;
  });

  test('the client is closed', async () => {
    await bench.control.fault({ kind: 'hold', action: ACTION });
    const made = faceId();
    const call = made.detect(ACTION, REGION, at(SOME), never());
    const failed = failing(call, { code: 'ABORTED', sent: 'maybe', class: 'transient' });
    await bench.control.waitFor({ event: 'held' });
    await made.close();
    await failed;
  });

  test.each([
    ['no JSON', '<html>hello</html>'],
    ['an empty body', ''],
    ['no Response', '{}'],
    ['null', 'null'],
    ['no Result', '{"Response":{"RequestId":"r"}}'],
    ['a Sim that is a text', '{"Response":{"Result":"Success","Sim":"9","RequestId":"r"}}'],
    ['an error without a RequestId', '{"Response":{"Error":{"Code":"InternalError","Message":"m"}}}'],
  ])('the answer has %s', async (_what, body) => {
    const end = await far((_request, response) => response.end(body));
    const call = through(end).detect(ACTION, REGION, at(SOME), never());
    await failing(call, { code: 'MALFORMED_REPLY', sent: 'maybe', class: 'transient' });
    expect(end.requests).toHaveLength(1);
  });

  test.each([500, 502, 503, 504])('status %i', async (status) => {
    await bench.control.fault({ kind: 'status', action: ACTION, status });
    const call = faceId().detect(ACTION, REGION, at(SOME), never());
    await failing(call, { code: 'HTTP_5XX', sent: 'maybe', httpStatus: status, class: 'transient' });
    expect(await paid()).toHaveLength(1);
  });
});

describe('a status that says: not asked', () => {
  test('429, with how long to wait', async () => {
    await bench.control.fault({ kind: 'status', action: ACTION, status: 429, retryAfterS: 7 });
    const call = faceId().detect(ACTION, REGION, at(SOME), never());
    const failure = await failing(call, { code: 'HTTP_429', sent: 'answered', class: 'throttled' });
    expect(failure.retryAfterMs).toBe(7_000);
  });

  test('a redirect is not followed', async () => {
    const end = await far((_request, response) => {
      response.writeHead(307, { location: 'https://elsewhere.example.com/' });
      response.end();
    });
    const call = through(end).detect(ACTION, REGION, at(SOME), never());
    await failing(call, { code: 'HTTP_3XX', sent: 'answered', httpStatus: 307, class: 'account' });
    expect(end.requests).toHaveLength(1);
    expect(end.tunnels).toHaveLength(1);
  });
});

describe('connections', () => {
  const answering: RequestListener = (request, response) => {
    request.resume();
    if (request.headers['x-tc-action'] === ACTION) return answer(response, { Result: 'Success', Sim: 90 });
    const link = 'https://a-1250000000.cos.ap-singapore.myqcloud.com/a';
    answer(response, { UploadUrl: link, ResourceUrl: link, ExpiredTimestamp: 2_000_000_000 });
  };

  test('each call has one that was never used', async () => {
    const end = await far(answering);
    const made = through(end);
    await made.createUploadUrl(ACTION, REGION, anyTime, never());
    await made.detect(ACTION, REGION, at(SOME), never());
    await made.detect(ACTION, REGION, at(SOME), never());
    await made.createUploadUrl(ACTION, REGION, anyTime, never());
    expect(end.connections()).toBe(4);
  });

  test('is open before the turn is waited for, and nothing leaves before it', async () => {
    const end = await far(answering);
    const made = through(end);
    const look = async () => {
      await expect.poll(end.connections).toBe(end.requests.length + 1);
    };
    const turn = () => look().then(anyTime);
    await made.createUploadUrl(ACTION, REGION, turn, never());
    await made.detect(ACTION, REGION, turn, never());
    expect(end.requests).toHaveLength(2);
  });

  test('that ends while the turn is waited for: nothing was sent', async () => {
    const end = await far(answering);
    const hangUp = async () => {
      await expect.poll(end.connections).toBe(1);
      await Promise.all(end.tunnelled.map((socket) => once(socket.end(), 'close')));
      return anyTime();
    };
    await failing(through(end).detect(ACTION, REGION, hangUp, never()), {
      code: 'RESET',
      sent: 'no',
      class: 'transient',
    });
    expect(end.requests).toEqual([]);
  });

  test('leaves in the turn that is not missed, and no sooner', async () => {
    const end = await far(answering);
    const missed = [true, true, false];
    const turns: number[] = [];
    const turn = async () => {
      turns.push(end.requests.length);
      return { ...(await anyTime()), missed: () => missed[turns.length - 1] ?? false };
    };
    expect(await through(end).detect(ACTION, REGION, turn, never())).toMatchObject({ result: 'Success' });
    expect(turns).toEqual([0, 0, 0]);
    expect(end.requests).toHaveLength(1);
    expect(end.connections()).toBe(1);
  });

  test('what a turn throws is thrown, and nothing was sent', async () => {
    const end = await far(answering);
    const withheld = new Error('withheld');
    const call = through(end).detect(ACTION, REGION, () => Promise.reject(withheld), never());
    await expect(call).rejects.toBe(withheld);
    expect(end.requests).toEqual([]);
  });

  test('NO_PROXY leads past the proxy', async () => {
    const end = await far(answering);
    const past = {
      proxy: `http://127.0.0.1:${await deadPort()}`,
      caFile: end.caFile,
      endpoint: `localhost:${end.port}`,
    };
    const made = faceId({ ...past, noProxy: `other.example, localhost:${end.port}` });
    await expect(made.detect(ACTION, REGION, at(SOME), never())).resolves.toMatchObject({ result: 'Success' });
    await failing(faceId(past).detect(ACTION, REGION, at(SOME), never()), {
      code: 'PROXY_REFUSED',
      class: 'transient',
    });
  });

  test('user and password go to the proxy, and to nobody else', async () => {
    const end = await far(answering);
    const made = faceId({ proxy: end.proxyUrl.replace('//', '//us%40er:pass@'), caFile: end.caFile });
    await made.detect(ACTION, REGION, at(SOME), never());
    const expected = `Basic ${Buffer.from('us@er:pass').toString('base64')}`;
    expect(end.tunnels[0]?.request.headers['proxy-authorization']).toBe(expected);
    expect(end.requests[0]?.headers['proxy-authorization']).toBeUndefined();
  });

  test('a proxy by TLS is trusted by the same CA file', async () => {
    const end = await far(answering);
    const proxy = `https://localhost:${end.port}`;
    const call = faceId({ proxy, caFile: end.caFile }).detect(ACTION, REGION, at(SOME), never());
    await expect(call).resolves.toMatchObject({ result: 'Success' });
    const untrusting = faceId({ proxy, caFile: undefined }).detect(ACTION, REGION, at(SOME), never());
    await failing(untrusting, { code: 'PROXY_REFUSED', sent: 'no', class: 'transient' });
  });

  test('an error page that nobody reads does not occupy its connection', async () => {
    let closed: Promise<unknown> | undefined;
    const end = await far((_request, response) => {
      closed = once(response, 'close');
      response.writeHead(404, { 'content-length': String(2 ** 24) });
      response.write(Buffer.alloc(2 ** 22));
    });
    await failing(through(end).createUploadUrl(ACTION, REGION, anyTime, never()), {
      code: 'HTTP_4XX',
      class: 'account',
    });
    await closed;
  });

  test('settings that cannot work are said when they are made', async () => {
    const broken = join(bench.dir, 'broken.pem');
    await writeFile(broken, 'no certificate');
    for (const options of [{ proxy: 'socks5://h:1' }, { caFile: broken }, { caFile: join(bench.dir, 'none.pem') }]) {
      const made = Promise.resolve().then(() => faceId(options));
      await failing(made, { code: 'INVALID_SETTINGS', sent: 'no', class: 'account' });
    }
  });
});

describe('CreateUploadUrl', () => {
  test('its pair of links works as it is', async () => {
    const pair = await faceId().createUploadUrl(ACTION, REGION, anyTime, never());
    const links = createLinkIo(bench.transport);
    const bytes = sampleImage();
    const head = { sizeBytes: bytes.length, md5: md5Of(bytes), contentType: 'application/octet-stream' };
    await links.put(pair.putLink, () => inPieces(bytes), head, never());
    expect(await links.probe(pair.getLink, never())).toEqual({ sizeBytes: bytes.length, etagMd5: md5Of(bytes) });
    expect(pair.expiresAt).toBeGreaterThan(Date.now());
  });

  test('is tried again at once after a hiccup, since nobody pays for it', async () => {
    await bench.control.fault({ kind: 'drop', action: 'CreateUploadUrl' });
    await faceId().createUploadUrl(ACTION, REGION, anyTime, never());
    expect(await bench.control.calls({ action: 'CreateUploadUrl' })).toHaveLength(2);
  });

  test('links that are no https links are no answer', async () => {
    const end = await far((_request, response) =>
      answer(response, { UploadUrl: 'http://a/b', ResourceUrl: 'http://a/b', ExpiredTimestamp: 1 }),
    );
    const call = through(end).createUploadUrl(ACTION, REGION, anyTime, never());
    await failing(call, { code: 'MALFORMED_REPLY', class: 'transient' });
  });
});
