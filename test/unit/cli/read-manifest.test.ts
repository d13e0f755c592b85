/** Tests manifests in the forms that editors and spreadsheets write. Each mistake is reported; nothing is skipped silently. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildRequest } from '../../../src/cli/verifications/build-request.ts';
import { type ManifestLine, readManifest } from '../../../src/cli/verifications/read-manifest.ts';
import { parseVerification } from '../../../src/domain/verification/request.ts';

const DEFAULTS = { region: 'ap-singapore', upload: 'own-bucket' };

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-manifest-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function read(content: string | Buffer, name = 'manifest.csv'): Promise<ManifestLine[]> {
  const file = join(dir, name);
  await writeFile(file, content);
  return readManifest(file, (fields) => buildRequest(fields, DEFAULTS));
}

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const resources = { liveData: { from: 'file', path: 'live.gz' }, image: { from: 'file', path: 'photo.jpg' } };
const PLAIN = { key: 'x-1', ...DEFAULTS, resources };

describe('a CSV', () => {
  it.each<[string, string | Buffer]>([
    ['commas', 'key,liveData,image\nx-1,live.gz,photo.jpg\n'],
    ['semicolons', 'key;liveData;image\nx-1;live.gz;photo.jpg\n'],
    ['tabs', 'key\tliveData\timage\nx-1\tlive.gz\tphoto.jpg\n'],
    ['a line that names the delimiter', 'sep=;\r\nkey;liveData;image\r\nx-1;live.gz;photo.jpg\r\n'],
    ['CR LF and no end of line', 'key,liveData,image\r\nx-1,live.gz,photo.jpg'],
    ['a byte-order mark', '\uFEFFkey;liveData;image\nx-1;live.gz;photo.jpg\n'],
    ['UTF-16 LE', Buffer.from('\uFEFFkey\tliveData\timage\r\nx-1\tlive.gz\tphoto.jpg\r\n', 'utf16le')],
    ['UTF-16 LE without a mark', Buffer.from('key\tliveData\timage\r\nx-1\tlive.gz\tphoto.jpg\r\n', 'utf16le')],
    ['UTF-16 BE', utf16be('\uFEFFkey,liveData,image\nx-1,live.gz,photo.jpg\n')],
    ['UTF-16 BE without a mark', utf16be('key,liveData,image\nx-1,live.gz,photo.jpg\n')],
    ['another case', 'Key;LIVEDATA;Image\nx-1;live.gz;photo.jpg\n'],
    ['spaces and underscores', ' Key ;live_data; Image \n x-1 ; live.gz ;photo.jpg\n'],
    ['quotes', '"key","liveData","image"\n"x-1","live.gz","photo.jpg"\n'],
    ['empty columns and rows', 'key;liveData;image;;\nx-1;live.gz;photo.jpg;;\n;;;;\n\n'],
  ])('with %s', async (_what, content) => {
    const [line, ...rest] = await read(content);
    expect(line).toMatchObject({ request: PLAIN, error: null });
    expect(rest).toEqual([]);
  });

  it('has a column for every field, and options of the same names', async () => {
    const columns = [
      'key,video,image,action,liveness,validateData,region,upload,lane,threshold,deadline,webhook,subject,purpose',
      'consentRef,consentVersion,consentAt,frame,metadata.shop,metadata.Order_No',
    ].join(',');
    const cells = [
      'k,v.mp4,cos:ap-bangkok/b-1250000000/p/1.jpg,VideoLivenessCompare,ACTION,"2,1",ap-bangkok,create-upload-url,batch,92.5',
      '2030-01-01T12:00:00Z,shop,customer-1,opening,c-7,v2,2029-01-01T00:00:00Z,none,s-7,"a, b"',
    ].join(',');
    const [line] = await read(`${columns}\n${cells}\n`);
    const request = {
      key: 'k',
      action: 'VideoLivenessCompare',
      region: 'ap-bangkok',
      upload: 'create-upload-url',
      lane: 'batch',
      resources: {
        video: { from: 'file', path: 'v.mp4' },
        image: { from: 'cos', region: 'ap-bangkok', bucket: 'b-1250000000', key: 'p/1.jpg' },
      },
      liveness: { type: 'ACTION', validateData: '2,1' },
      similarityThreshold: 92.5,
      deadline: '2030-01-01T12:00:00Z',
      webhook: 'shop',
      subject: 'customer-1',
      purpose: 'opening',
      consent: { ref: 'c-7', version: 'v2', at: '2029-01-01T00:00:00Z' },
      frame: { to: 'none' },
      metadata: { shop: 's-7', Order_No: 'a, b' },
    };
    expect(line?.request).toEqual(request);
    expect(parseVerification(line?.request)).toEqual(request);
  });

  it.each([
    ['similarityThreshold', '80,5', { similarityThreshold: 80.5 }],
    ['frame', 'file:a.jpg', { frame: { to: 'file', name: 'a.jpg' } }],
    ['frame', 'cos:ap-singapore/b-1250000000/f/1.jpg', { frame: { to: 'cos', key: 'f/1.jpg' } }],
    ['frame', 'nowhere', { frame: { to: 'nowhere' } }],
    ['threshold', 'high', { similarityThreshold: Number.NaN }],
  ])('reads %s %s', async (column, cell, expected) => {
    const [line] = await read(`key;liveData;image;${column}\nx-1;live.gz;photo.jpg;${cell}\n`);
    expect(line?.request).toMatchObject(expected);
  });

  it.each([
    [
      'a misspelt column',
      'key,liveData,image,similarityTreshold,subject\nx,a,b,95,c\n',
      /unknown column "similarityTreshold": correct/,
    ],
    ['two unknown columns', 'key,foo,bar\nx,1,2\n', /"foo", "bar"/],
    ['metadata without a name', 'key,metadata\nx,1\n', /unknown column "metadata".*metadata\.<name>/],
    ['no key', 'liveData,image\na,b\n', /has no column "key"/],
    ['a column twice', 'key,image,Image\nx,a,b\n', /has the column "Image" twice/],
    ['a threshold under two names', 'key,threshold,similarityThreshold\nx,1,2\n', /twice/],
    ['another encoding', Buffer.from([...Buffer.from('key,image\nx,'), 0xfc, 0x0a]), /neither UTF-8 nor UTF-16/],
    ['nothing', '', /is empty/],
    ['only a mark', '\uFEFF', /is empty/],
    ['only a header', 'key,liveData,image\n', /is empty/],
  ])('is refused as a whole: %s', async (_what, content, words) => {
    await expect(read(content)).rejects.toMatchObject({
      code: 'INVALID_MANIFEST',
      field: 'manifest',
      message: expect.stringMatching(words),
    });
  });

  it('reports a broken line by its number and reads the others', async () => {
    const lines = await read('sep=;\nkey;image;\na;1.jpg;\nb\n\nc;3.jpg;stray\nd;4.jpg;\n');
    expect(lines.map(({ number, error }) => [number, error?.message ?? null])).toEqual([
      [3, null],
      [4, expect.stringContaining('line 4 has 1 columns, but the header has 3')],
      [6, expect.stringContaining('line 6 has a value in a column without a name')],
      [7, null],
    ]);
  });
});

describe('JSON Lines', () => {
  const text = `${JSON.stringify({ key: 'x-1', resources })}\r\n\r\n{"key":\r\n[]\r\n`;
  it.each<[string, string | Buffer]>([
    ['plain', text],
    ['a byte-order mark', `\uFEFF${text}`],
    ['UTF-16 LE', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16 BE', utf16be(`\uFEFF${text}`)],
  ])('with %s', async (_what, content) => {
    const lines = await read(content, 'manifest.jsonl');
    expect(lines.map(({ number, error }) => [number, error?.message ?? null])).toEqual([
      [1, null],
      [3, expect.stringContaining('line 3 is not JSON')],
      [4, expect.stringContaining('line 4 is JSON but not an object')],
    ]);
    expect(lines[0]?.request).toEqual({ key: 'x-1', resources });
  });

  it.each(['', '\uFEFF', '\n\n'])('is refused if it is empty: %j', async (content) => {
    await expect(read(content, 'manifest.jsonl')).rejects.toMatchObject({ message: expect.stringMatching(/is empty/) });
  });
});
