/**
 * One step further, on the account itself: two pairs of links, bytes there and back, and one Detect that must be refused.
 * Each step is held against what the emulator answers.
 *
 * 1. Nothing here runs unless it was asked for by name.
 * 2. The paid action is called once, with no retry, with MD5s that are both wrong and with contents that hold no face: three
 *    reasons why it should cost nothing, and no guarantee.
 */
import { createHash } from 'node:crypto';
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { FaceIdClient } from '../tencent/index.ts';
import { refusalOf, type Transport } from '../transport/index.ts';
import { type Check, type Finding, failed } from './check.ts';
import {
  detectPoints,
  differences,
  linkPoints,
  mayBeBilled,
  objectPoints,
  type Point,
  TARGET,
  uploadUrlPoints,
} from './live-points.ts';
import { sampleLiveData, samplePhoto } from './live-samples.ts';

/** For whoever starts it. */
export const LIVE_WARNING = `--live goes one step further, on the account of these settings: CreateUploadUrl twice, two PUTs of sample bytes (no face)
into Tencent's bucket, two GETs, and one ${TARGET} with MD5s that are wrong on purpose.
Tencent should refuse that call unbilled. That is not guaranteed: compare with the bill. The sample bytes stay in Tencent's
bucket until Tencent clears it.
`;

const NOT_ASKED =
  'not asked for: --live would upload sample bytes and make one Detect with wrong MD5s, which should be free (not guaranteed)';
const WRONG_MD5 = '0'.repeat(32);
const ADVICE =
  'The emulator answers otherwise: please report this difference. What Bestframe does with such an answer is untested.';

export interface LiveOptions {
  readonly faceId: FaceIdClient;
  readonly transport: Transport;
  readonly region: Region;
}

export const notLiveCheck: Check = { name: 'live', run: async () => ({ status: 'skipped', found: NOT_ASKED }) };

export function liveChecks({ faceId, transport, region }: LiveOptions): Check[] {
  const samples = [sampleLiveData(), samplePhoto()];
  const replies: Readonly<Record<string, unknown>>[] = [];
  const link = (index: number, name: 'UploadUrl' | 'ResourceUrl') => String(replies[index]?.[name]);
  let now = Date.now();
  return [
    {
      name: 'live.create-upload-url',
      needs: [`faceid.${region}`],
      async run(signal) {
        for (const _ of samples) {
          const { reply, failure, clockAheadMs } = await faceId.inspect(
            'CreateUploadUrl',
            region,
            { TargetAction: TARGET },
            signal,
          );
          if (reply === null) return failed(failure);
          replies.push(reply);
          now = Date.now() + (clockAheadMs ?? 0);
        }
        return compared(replies.flatMap((reply) => uploadUrlPoints(reply, now)));
      },
    },
    {
      name: 'live.links',
      needs: ['live.create-upload-url'],
      run: async () => compared(replies.flatMap((reply) => linkPoints(reply, region))),
    },
    {
      name: 'live.put',
      needs: ['live.create-upload-url'],
      async run(signal) {
        const points: Point[] = [];
        for (const [index, content] of samples.entries()) {
          points.push(...(await put(transport, link(index, 'UploadUrl'), content, signal)));
        }
        return compared(points);
      },
    },
    {
      name: 'live.get',
      needs: ['live.put'],
      async run(signal) {
        const points: Point[] = [];
        for (const [index, content] of samples.entries()) {
          points.push(...(await get(transport, link(index, 'ResourceUrl'), content, signal)));
        }
        return compared(points);
      },
    },
    {
      name: 'live.detect',
      needs: ['live.get'],
      limitMs: 40_000,
      async run(signal) {
        const parameters = {
          LiveDataUrl: link(0, 'ResourceUrl'),
          LiveDataMd5: WRONG_MD5,
          ImageUrl: link(1, 'ResourceUrl'),
          ImageMd5: WRONG_MD5,
        };
        const seen = await faceId.inspect(TARGET, region, parameters, signal);
        const finding = compared(detectPoints(seen));
        const requestId = seen.failure?.requestId ?? seen.reply?.RequestId ?? 'none';
        const found = `${finding.found} (RequestId ${requestId})`;
        if (!mayBeBilled(seen)) return { ...finding, found };
        return { status: 'warn', found: `${found}; this call may be on the bill`, advice: ADVICE };
      },
    },
  ];
}

async function put(transport: Transport, url: string, content: Uint8Array, signal: AbortSignal): Promise<Point[]> {
  const headers = {
    'content-length': String(content.byteLength),
    'content-md5': createHash('md5').update(content).digest('base64'),
    'content-type': 'application/octet-stream',
  };
  const body = (async function* () {
    yield content;
  })();
  const response = await transport.request({ method: 'PUT', url, purpose: 'link', headers, body, signal });
  if (response.status >= 300) throw await refusalOf(response);
  await response.dump();
  return objectPoints('PUT', { status: response.status, etag: response.header('etag') }, content);
}

async function get(transport: Transport, url: string, content: Uint8Array, signal: AbortSignal): Promise<Point[]> {
  const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
  if (response.status >= 300) throw await refusalOf(response);
  const pieces: Uint8Array[] = [];
  for await (const piece of response.bytes()) pieces.push(piece);
  if (!Buffer.concat(pieces).equals(content)) {
    const facts = { service: 'cos', channel: 'local', code: CODES.LINK_MD5_MISMATCH, sent: 'answered' } as const;
    throw new Failure(facts, 'what the link yields is not what was put');
  }
  const type =
    response.header('content-type') === 'application/octet-stream' ? 'as it was put' : response.header('content-type');
  return objectPoints('GET', { status: response.status, etag: response.header('etag'), type }, content);
}

function compared(points: readonly Point[]): Finding {
  const unlike = differences(points);
  if (unlike.length === 0) return { status: 'ok', found: `as the emulator answers, in ${points.length} points` };
  const words = unlike.map(({ what, expected, seen }) => `${what}: ${seen}, the emulator ${expected}`);
  const found = `${unlike.length} of ${points.length} points differ: ${[...new Set(words)].join('; ')}`;
  return { status: 'warn', found, advice: ADVICE };
}
