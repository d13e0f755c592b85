/** Compares the signature of a streamed request with that of Tencent's SDK, and its body with the JSON that the SDK would send. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { signedHeaders } from '../../../src/adapters/faceid/stream-request.ts';
import { encodeBody } from '../../../src/domain/verification/call-body.ts';

const sdk = createRequire(import.meta.url)('tencentcloud-sdk-nodejs/tencentcloud/common/sign.js') as {
  default: { sign3(options: object): string };
};
const NOW = Date.UTC(2026, 10, 29, 23, 59, 59);
const HOST = 'faceid.intl.tencentcloudapi.com';

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test.each([1, 2, 3, 4, 5, 1_000])('a body in pieces of %i bytes is signed as the SDK signs it', async (size) => {
  for (const length of [1, 2, 3, 4, 100, 101]) {
    const [video, image] = [Buffer.alloc(length, 0xfb), Buffer.alloc(length + 1, 0x07)];
    const files = { VideoBase64: () => inPieces(video, size), ImageBase64: () => inPieces(image, size) };
    const parameters = { LivenessType: 'ACTION', ValidateData: '2,1' };
    const body = await encodeBody({ parameters, files });
    const pieces: Uint8Array[] = [];
    for await (const piece of body.stream()) pieces.push(piece);
    const text = Buffer.concat(pieces);
    const payload = { ...parameters, VideoBase64: video.toString('base64'), ImageBase64: image.toString('base64') };
    expect(text.toString()).toBe(JSON.stringify(payload));
    expect(body).toMatchObject({
      ...{ sizeBytes: text.length, sha256: createHash('sha256').update(text).digest('hex') },
    });

    const credential = { secretId: 'id', secretKey: 'key' };
    const head = {
      endpoint: HOST,
      version: '2018-03-01',
      name: 'CompareFaceLiveness',
      region: 'ap-singapore',
      credential,
    };
    const headers = signedHeaders({ ...head, language: 'en-US' }, body.sha256, HOST, NOW);
    const expected = sdk.default.sign3({
      ...{ method: 'POST', url: `https://${HOST}/`, payload, timestamp: Math.floor(NOW / 1000), service: 'faceid' },
      ...{ ...credential, multipart: false, boundary: '', headers: { 'Content-Type': 'application/json' } },
    });
    expect(headers.authorization).toBe(expected);
  }
});

test('a body without files is its parameters', async () => {
  const body = await encodeBody({ parameters: { SecureLevel: '4' }, files: {} });
  expect(body.sizeBytes).toBe(Buffer.byteLength('{"SecureLevel":"4"}'));
  expect((await encodeBody({ parameters: {}, files: {} })).sizeBytes).toBe(2);
});
