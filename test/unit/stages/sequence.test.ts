/** A light sequence from device data, over edges that do what no emulator does. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { SEQUENCE } from '../../../src/domain/actions.ts';
import { CODES } from '../../../src/domain/errors/index.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { SequenceInput } from '../../../src/domain/ports.ts';
import { parseSequence } from '../../../src/domain/sequences.ts';
import { sequence } from '../../../src/stages/index.ts';

const REGION = 'ap-singapore';
const GIVEN = Buffer.from('light');
const order = parseSequence({
  deviceData: Buffer.from('ZGV2aWNl'),
  region: REGION,
  upload: 'create-upload-url',
  securityLevel: '2',
});
const md5Of = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');

interface World {
  readonly getLink?: string;
  /** MD5 of what lies behind the link. */
  readonly seen?: string;
  readonly given?: readonly Uint8Array[] | Failure;
}

function run({ getLink = `https://vendor.cos.${REGION}.myqcloud.com/a`, seen = order.md5, given = [GIVEN] }: World) {
  const calls: SequenceInput[] = [];
  const turn = async () => ({ missed: () => false });
  const result = sequence(order, {
    edges: {
      bucket: () => expect.fail('there is no own bucket'),
      faceId: {
        createUploadUrl: async () => ({ putLink: 'https://put', getLink, expiresAt: 0, requestId: 'r-0' }),
        detect: () => expect.fail('nothing is compared'),
        async generateSequence(_region, input) {
          calls.push(input);
          return { url: 'https://sequence', md5: md5Of(GIVEN), requestId: 'r-1' };
        },
      },
      links: {
        put: async () => undefined,
        probe: async () => ({ sizeBytes: order.deviceData.byteLength, etagMd5: seen }),
        hash: () => expect.fail('the ETag says it'),
        async get() {
          return pieces(given);
        },
      },
    },
    signal: new AbortController().signal,
    key: 'unused',
    linkMs: 1_000,
    onStored: () => undefined,
    uploadUrlTurn: turn,
    turn,
  });
  return { result, calls };
}

async function* pieces(given: readonly Uint8Array[] | Failure) {
  if (given instanceof Failure) throw given;
  yield* given;
}

it('is handed on as it came, with what was asked for', async () => {
  const { result, calls } = run({ given: [GIVEN.subarray(0, 2), GIVEN.subarray(2)] });
  expect(await result).toEqual({ bytes: GIVEN, md5: md5Of(GIVEN), requestId: 'r-1' });
  expect(calls).toEqual([{ link: expect.stringContaining('myqcloud'), md5: order.md5, securityLevel: '2' }]);
});

it.each([
  ['a link of another region', { getLink: 'https://vendor.cos.ap-bangkok.myqcloud.com/a' }, 'LINK_REGION'],
  ['device data that somebody wrote over', { seen: '0'.repeat(32) }, 'LINK_MD5_MISMATCH'],
])('is not asked for with %s', async (_what, world, code) => {
  const { result, calls } = run(world);
  await expect(result).rejects.toMatchObject({ code });
  expect(calls).toEqual([]);
});

const gone = new Failure({ service: 'cos', channel: 'local', code: CODES.FRAME_EXPIRED, sent: 'answered' }, 'expired');
it.each([
  ['bytes of another MD5', [Buffer.from('dark')], 'SEQUENCE_DAMAGED'],
  ['no bytes', [], 'SEQUENCE_DAMAGED'],
  ['more bytes than any has', [Buffer.alloc(SEQUENCE.maxSequenceBytes), GIVEN], 'SEQUENCE_DAMAGED'],
  ['a link that has expired', gone, 'SEQUENCE_MISSING'],
])('is not handed on where there are %s, and its RequestId is', async (_what, given, code) => {
  await expect(run({ given }).result).rejects.toMatchObject({ code, requestId: 'r-1' });
});

it('takes Base64 of either alphabet, in lines, and judges long text quickly', () => {
  for (const text of ['QUJD', 'QUI=\n', 'a-_b', 'QUJD\r\nQUI=']) {
    expect(parseSequence({ ...request, deviceData: Buffer.from(text) }).md5).toBe(md5Of(Buffer.from(text)));
  }
  for (const text of ['Q=UJD', '{"a":1}', ' ', '\n'.repeat(1_000_000), `${'A\n'.repeat(500_000)}!`]) {
    expect(() => parseSequence({ ...request, deviceData: Buffer.from(text) })).toThrow(/no Base64 text/);
  }
});

const request = { region: REGION, upload: 'own-bucket' };
