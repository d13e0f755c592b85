/** Tests that a multipart body that is nearly valid is refused with a message that names the part and says what to do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let http: Http;

beforeAll(async () => {
  rig = await createRig();
  http = await openHttp(rig);
});
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

const JSON_TEXT = JSON.stringify({ key: 'parts', region: 'ap-singapore', upload: 'own-bucket' });
const files = { liveData: sampleLiveData({ card: 'match' }), image: sampleImage('parts') };

interface Part {
  readonly name: string;
  readonly content: string | Buffer;
  readonly filename?: string;
  readonly type?: string;
}

/** Sends parts as curl does. FormData is no alternative, because it gives every blob a file name. */
function send(parts: readonly Part[]) {
  const boundary = 'a-boundary';
  const body = parts.flatMap(({ name, content, filename, type }) => [
    `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n`,
    `${type === undefined ? '' : `content-type: ${type}\r\n`}\r\n`,
    content,
    '\r\n',
  ]);
  const bytes = Buffer.concat([...body, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)));
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  return http.call('POST', '/v1/verifications', { body: new Uint8Array(bytes), headers });
}

const verification = { name: 'verification', content: JSON_TEXT };
const liveData = { name: 'liveData', content: files.liveData, filename: 'live.gz' };
const image = { name: 'image', content: files.image, filename: 'photo.jpg' };

describe('is refused', () => {
  it.each<[string, readonly Part[], number, string, RegExp]>([
    [
      'a resource without a file name',
      [verification, { name: 'liveData', content: files.liveData }, image],
      400,
      'liveData',
      /part liveData is not a file: send it with a filename/,
    ],
    [
      'a large resource without a file name',
      [verification, image, { name: 'liveData', content: Buffer.alloc(3_000_000, 1) }],
      400,
      'liveData',
      /part liveData is not a file/,
    ],
    [
      'one more field',
      [verification, liveData, image, { name: 'csrf', content: 'x' }],
      400,
      'null',
      /part csrf is unknown: remove it/,
    ],
    [
      'one more field before the others',
      [{ name: 'csrf', content: 'x' }, verification, liveData, image],
      400,
      'null',
      /part csrf is unknown/,
    ],
    [
      'one more file',
      [verification, liveData, image, { name: 'selfie', content: 'x', filename: 'a.jpg' }],
      400,
      'null',
      /part selfie is unknown/,
    ],
    ['an odd name', [{ name: 'a <b>', content: 'x' }, verification], 400, 'null', /a part has an unknown name/],
    ['the JSON twice', [verification, verification, liveData, image], 400, 'verification', /is repeated: send it once/],
    [
      '1 MB of JSON as a field',
      [{ name: 'verification', content: `{"x":"${'y'.repeat(1_000_000)}"}` }, liveData, image],
      413,
      'null',
      /part verification is larger than 65536 bytes/,
    ],
    [
      '1 MB of JSON as a field with a type',
      [
        { name: 'verification', content: `{"x":"${'y'.repeat(1_000_000)}"}`, type: 'application/json' },
        liveData,
        image,
      ],
      413,
      'null',
      /part verification is larger than 65536 bytes/,
    ],
    [
      'no JSON',
      [{ name: 'verification', content: 'key=parts' }, liveData, image],
      400,
      'verification',
      /part verification is not valid JSON/,
    ],
    [
      'JSON of another kind',
      [{ name: 'verification', content: '[]', type: 'application/json' }, liveData, image],
      400,
      'verification',
      /part verification is not a JSON object/,
    ],
  ])('%s', async (_what, parts, status, field, words) => {
    const answer = await send(parts);
    expect(answer).toMatchObject({ status, json: { code: status === 413 ? 'BODY_TOO_LARGE' : 'MALFORMED_REQUEST' } });
    expect(String(answer.json.field)).toBe(field);
    expect(answer.json.detail).toMatch(words);
    expect(await rig.client.getByKey('parts')).toBeNull();
  });
});

describe('is accepted', () => {
  it.each<[string, Part]>([
    ['JSON with a byte-order mark', { name: 'verification', content: `\ufeff${JSON_TEXT}` }],
    ['JSON with a mark and a type', { name: 'verification', content: `\ufeff${JSON_TEXT}`, type: 'application/json' }],
    ['JSON as a file', { name: 'verification', content: JSON_TEXT, filename: 'a.json', type: 'application/json' }],
  ])('%s', async (_what, json) => {
    const answer = await send([liveData, json, { ...image, type: 'image/jpeg' }]);
    expect(answer).toMatchObject({ status: 202, json: { key: 'parts' } });
  });
});
