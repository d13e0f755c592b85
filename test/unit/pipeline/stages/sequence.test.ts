/** Tests the sequence stage with stubbed ports, for vendor behavior that the emulator does not have. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import { CODES } from '../../../../src/domain/errors/index.ts';
import type { Bucket, SequenceInput } from '../../../../src/domain/ports.ts';
import { SEQUENCE } from '../../../../src/domain/verification/actions.ts';
import { parseSequence, type SequenceOrder } from '../../../../src/domain/verification/light-sequence.ts';
import type { ObjectPlace } from '../../../../src/domain/verification/outcomes.ts';
import { sequence } from '../../../../src/pipeline/stages/index.ts';
import { readAll } from './stages.ts';

const REGION = 'ap-singapore';
const SEQUENCE_BYTES = Buffer.from('light');
const order = parseSequence({
  deviceData: Buffer.from('ZGV2aWNl'),
  region: REGION,
  upload: 'create-upload-url',
  securityLevel: '2',
});
const md5Of = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

interface Vendor {
  readonly given?: SequenceOrder;
  readonly getLink?: string;
  /** The MD5 of the uploaded object that COS reports. */
  readonly objectMd5?: string;
  /** The data that the link to the sequence returns. */
  readonly download?: readonly Uint8Array[] | Failure;
  /** The step that fails. */
  readonly fails?: 'createUploadUrl' | 'put' | 'probe' | 'generateSequence';
}

const denied = new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent: 'answered' }, 'denied');
const { signal } = new AbortController();

function run({
  given = order,
  getLink = `https://vendor.cos.${REGION}.myqcloud.com/a`,
  objectMd5 = order.md5,
  download = [SEQUENCE_BYTES],
  fails,
}: Vendor) {
  const calls: SequenceInput[] = [];
  const steps: unknown[] = [];
  const uploadUrlTurn = async () => ({ missed: () => false });
  const turn = async () => ({ missed: () => true });
  const step = (name: Vendor['fails'], ...more: unknown[]) => {
    steps.push([name, ...more]);
    if (name === fails) throw denied;
  };
  const own = {
    name: 'own-1250000000',
    async signPut(key: string, ttlMs: number) {
      return `https://put/${key}/${ttlMs}`;
    },
    async signGet(place: ObjectPlace, ttlMs: number) {
      return `https://${place.bucket}.cos.${place.region}.myqcloud.com/${place.key}?${ttlMs}`;
    },
  };
  const result = sequence(given, {
    edges: {
      bucket: (region) => {
        expect([given.upload, region]).toEqual(['own-bucket', REGION]);
        return own as unknown as Bucket;
      },
      faceId: {
        async createUploadUrl(action, region, granted, stop) {
          step('createUploadUrl', action, region);
          expect([granted, stop]).toEqual([uploadUrlTurn, signal]);
          return { putLink: 'https://put', getLink, expiresAt: 0, requestId: 'r-0' };
        },
        detect: () => expect.fail('detect must not be called'),
        secondOpinion: () => expect.fail('no second opinion must be asked for'),
        startFlow: () => expect.fail('no session must be started'),
        flowResult: () => expect.fail('no result must be asked for'),
        prepareCall: () => expect.fail('no call is prepared'),
        forgetCall: () => expect.fail('no call is prepared'),
        async generateSequence(region, input, granted, stop) {
          step('generateSequence', region);
          expect([granted, stop]).toEqual([turn, signal]);
          calls.push(input);
          return { url: 'https://sequence', md5: md5Of(SEQUENCE_BYTES), requestId: 'r-1' };
        },
      },
      links: {
        async put(link, body, head) {
          step('put', link, await readAll(body()), head);
        },
        async probe() {
          step('probe');
          return { sizeBytes: order.deviceData.byteLength, etagMd5: objectMd5 };
        },
        hash: () => expect.fail('the ETag suffices'),
        async get() {
          return pieces(download);
        },
      },
    },
    signal,
    key: 'temp/s1',
    linkMs: 1_000,
    onStored: () => steps.push('stored'),
    uploadUrlTurn,
    turn,
  });
  return { result, calls, steps };
}

async function* pieces(given: readonly Uint8Array[] | Failure) {
  if (given instanceof Failure) throw given;
  yield* given;
}

it('passes the order to the vendor and returns the sequence unchanged', async () => {
  const { result, calls } = run({ download: [SEQUENCE_BYTES.subarray(0, 2), SEQUENCE_BYTES.subarray(2)] });
  expect(await result).toEqual({ bytes: SEQUENCE_BYTES, md5: md5Of(SEQUENCE_BYTES), requestId: 'r-1' });
  expect(calls).toEqual([{ link: expect.stringContaining('myqcloud'), md5: order.md5, securityLevel: '2' }]);
});

it.each([
  ['a link to another region', { getLink: 'https://vendor.cos.ap-bangkok.myqcloud.com/a' }, 'LINK_REGION'],
  ['overwritten device data', { objectMd5: '0'.repeat(32) }, 'LINK_MD5_MISMATCH'],
])('makes no paid call for %s', async (_what, vendor, code) => {
  const { result, calls } = run(vendor);
  await expect(result).rejects.toMatchObject({ code });
  expect(calls).toEqual([]);
});

const HEAD = { sizeBytes: order.deviceData.byteLength, md5: order.md5, contentType: 'application/octet-stream' };
it('uploads through the vendor’s links', async () => {
  const { result, steps } = run({});
  await result;
  expect(steps).toEqual([
    ['createUploadUrl', 'GenerateReflectSequence', REGION],
    ['put', 'https://put', 'ZGV2aWNl', HEAD],
    'stored',
    ['probe'],
    ['generateSequence', REGION],
  ]);
});

it('uploads to the own bucket, and signs links that live as long as allowed', async () => {
  const { result, steps, calls } = run({ given: { ...order, upload: 'own-bucket' } });
  await result;
  expect(steps.slice(0, 2)).toEqual([['put', 'https://put/temp/s1/1000', 'ZGV2aWNl', HEAD], 'stored']);
  expect(calls[0]?.link).toBe(`https://own-1250000000.cos.${REGION}.myqcloud.com/temp/s1?1000`);
});

it.each([
  ['createUploadUrl', order],
  ['put', order],
  ['put', { ...order, upload: 'own-bucket' } as const],
  ['probe', order],
  ['generateSequence', order],
] as const)('charges a failure of %s to the deployment', async (fails, given) => {
  await expect(run({ given, fails }).result).rejects.toMatchObject({ code: 'AccessDenied', about: 'deployment' });
});

const gone = new Failure({ service: 'cos', channel: 'local', code: CODES.FRAME_EXPIRED, sent: 'answered' }, 'expired');
const missing = new Failure({ service: 'cos', channel: 'local', code: CODES.FRAME_MISSING, sent: 'answered' }, 'gone');
const DAMAGED = 'the downloaded light sequence is not the one that Tencent generated:';
const DEAD = 'the link to the light sequence is dead: ask for a new sequence';
it.each([
  ['bytes with a different MD5', [Buffer.from('dark')], 'SEQUENCE_DAMAGED', `${DAMAGED} its MD5 differs`],
  ['no bytes', [], 'SEQUENCE_DAMAGED', `${DAMAGED} its MD5 differs`],
  [
    'more bytes than the limit',
    [Buffer.alloc(SEQUENCE.maxSequenceBytes), SEQUENCE_BYTES],
    'SEQUENCE_DAMAGED',
    `${DAMAGED} it is too large`,
  ],
  [
    'as many bytes as allowed',
    [Buffer.alloc(SEQUENCE.maxSequenceBytes)],
    'SEQUENCE_DAMAGED',
    `${DAMAGED} its MD5 differs`,
  ],
  ['an expired link', gone, 'SEQUENCE_MISSING', DEAD],
  ['a missing object', missing, 'SEQUENCE_MISSING', DEAD],
])('fails with the RequestId for %s', async (_what, download, code, message) => {
  await expect(run({ download }).result).rejects.toMatchObject({
    code,
    message,
    requestId: 'r-1',
    service: 'cos',
    sent: 'answered',
  });
});

it('passes any other failure of the download on', async () => {
  await expect(run({ download: denied }).result).rejects.toBe(denied);
});

it('accepts both Base64 alphabets and line breaks, and refuses long invalid text quickly', () => {
  for (const text of ['QUJD', 'QUI=\n', 'a-_b', 'QUJD\r\nQUI=']) {
    expect(parseSequence({ ...request, deviceData: Buffer.from(text) }).md5).toBe(md5Of(Buffer.from(text)));
  }
  for (const text of ['Q=UJD', '{"a":1}', ' ', '\n'.repeat(1_000_000), `${'A\n'.repeat(500_000)}!`]) {
    expect(() => parseSequence({ ...request, deviceData: Buffer.from(text) })).toThrow(/is not Base64 text/);
  }
});

const request = { region: REGION, upload: 'own-bucket' };
