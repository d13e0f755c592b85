/**
 * Checks the real account: requests links, uploads and downloads bytes, and calls each action once in a way that must be refused.
 * Each answer is compared with the emulator's, and can be recorded on a tape.
 *
 * What must hold:
 * 1. Nothing here runs without the option `--live`.
 * 2. Each action is called once, without a retry, with wrong MD5s and contents that show no face. Such a call should be free of
 *    charge, but this is not guaranteed. If one call may have been billed, no other action is called.
 */
import { createHash } from 'node:crypto';
import type { FaceIdClient } from '../../adapters/faceid/index.ts';
import type { Transport } from '../../adapters/http/index.ts';
import { readCosFailure } from '../../adapters/storage/index.ts';
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Region } from '../../domain/verification/regions.ts';
import {
  differences,
  linkPoints,
  mayBeBilled,
  objectPoints,
  type Point,
  refusalPoints,
  uploadUrlPoints,
} from './live-comparison.ts';
import { sampleLiveData, samplePhoto, sampleText } from './live-samples.ts';
import { type Check, type Finding, failed } from './run-checks.ts';
import { cosCall, faceIdCall, type Recorder } from './tape.ts';

const DETECT = 'DetectReflectLivenessAndCompare';
const VIDEO = 'VideoLivenessCompare';
const SEQUENCE = 'GenerateReflectSequence';

/** Printed before the checks start. */
export const LIVE_WARNING = `--live also calls the account of these settings: CreateUploadUrl five times, five PUTs of sample bytes (no face) into
Tencent's bucket, five GETs, and one ${DETECT}, one ${VIDEO} and
one ${SEQUENCE} with MD5s that are wrong on purpose.
Tencent should refuse these calls without charge. This is not guaranteed: check your bill. The sample bytes stay in Tencent's
bucket until Tencent clears it.
`;

const NOT_REQUESTED =
  'not requested: --live uploads sample bytes and calls each action once with wrong MD5s, which should be free (not guaranteed)';
const WRONG_MD5 = '0'.repeat(32);
const REPORT_DIFFERENCE =
  'Please report this difference from the emulator. Bestframe is not tested with such an answer.';

/** The samples to upload, each with the action that receives it. No sample is a video or device data, so no call can succeed. */
const SAMPLES = [
  { target: DETECT, content: sampleLiveData },
  { target: DETECT, content: samplePhoto },
  { target: VIDEO, content: sampleText },
  { target: VIDEO, content: samplePhoto },
  { target: SEQUENCE, content: sampleText },
] as const;

interface RefusedCall {
  readonly name: string;
  readonly action: string;
  /** @param link the ResourceUrl of a sample, by its place in SAMPLES. */
  parameters(link: (index: number) => string): Readonly<Record<string, string>>;
}

const REFUSED_CALLS: readonly RefusedCall[] = [
  {
    name: 'live.detect',
    action: DETECT,
    parameters: (link) => ({
      LiveDataUrl: link(0),
      LiveDataMd5: WRONG_MD5,
      ImageUrl: link(1),
      ImageMd5: WRONG_MD5,
    }),
  },
  {
    name: 'live.video',
    action: VIDEO,
    parameters: (link) => ({
      VideoUrl: link(2),
      VideoMd5: WRONG_MD5,
      ImageUrl: link(3),
      ImageMd5: WRONG_MD5,
      LivenessType: 'SILENT',
    }),
  },
  {
    name: 'live.sequence',
    action: SEQUENCE,
    parameters: (link) => ({ DeviceDataUrl: link(4), DeviceDataMd5: WRONG_MD5 }),
  },
];

export interface LiveCheckOptions {
  readonly faceId: FaceIdClient;
  readonly transport: Transport;
  readonly region: Region;
  readonly record?: Recorder | undefined;
}

export function notLiveCheck(requested: boolean): Check {
  const found = requested ? 'no region of BESTFRAME_REGIONS serves the calls that --live makes' : NOT_REQUESTED;
  return { name: 'live', run: async () => ({ status: 'skipped', found }) };
}

export function liveChecks({ faceId, transport, region, record = () => undefined }: LiveCheckOptions): Check[] {
  const replies: Readonly<Record<string, unknown>>[] = [];
  const link = (index: number, name: 'UploadUrl' | 'ResourceUrl') => String(replies[index]?.[name]);
  let now = Date.now();
  async function forEachSample(visit: (content: Uint8Array, index: number) => Promise<Point[]>): Promise<Finding> {
    const points: Point[] = [];
    for (const [index, { content }] of SAMPLES.entries()) points.push(...(await visit(content(), index)));
    return compare(points);
  }
  return [
    {
      name: 'live.create-upload-url',
      needs: [`faceid.${region}`],
      async run(signal) {
        for (const { target } of SAMPLES) {
          const call = { action: 'CreateUploadUrl', parameters: { TargetAction: target } };
          const inspection = await faceId.inspect(call.action, region, call.parameters, signal);
          record(faceIdCall('live.create-upload-url', call, inspection));
          if (inspection.reply === null) return failed(inspection.failure);
          replies.push(inspection.reply);
          now = Date.now() + (inspection.clockAheadMs ?? 0);
        }
        return compare(replies.flatMap((reply) => uploadUrlPoints(reply, now)));
      },
    },
    {
      name: 'live.links',
      needs: ['live.create-upload-url'],
      run: async () =>
        compare(
          SAMPLES.flatMap(({ target }, index) => {
            const reply = replies[index];
            return reply === undefined ? [] : linkPoints(reply, { region, target });
          }),
        ),
    },
    {
      name: 'live.put',
      needs: ['live.create-upload-url'],
      run: (signal) =>
        forEachSample((content, index) =>
          putSample({ transport, record, url: link(index, 'UploadUrl') }, content, signal),
        ),
    },
    {
      name: 'live.get',
      needs: ['live.put'],
      run: (signal) =>
        forEachSample((content, index) =>
          getSample({ transport, record, url: link(index, 'ResourceUrl') }, content, signal),
        ),
    },
    ...refusedCallChecks({ faceId, region, record }, (index) => link(index, 'ResourceUrl')),
  ];
}

/** Runs one check after the other: once a call may have been billed, no further action is called. */
function refusedCallChecks(
  { faceId, region, record }: { faceId: FaceIdClient; region: Region; record: Recorder },
  link: (index: number) => string,
): Check[] {
  let billed = false;
  return REFUSED_CALLS.map(({ name, action, parameters: build }, index) => {
    const previous = REFUSED_CALLS[index - 1]?.name;
    return {
      name,
      needs: ['live.get'],
      ...(previous === undefined ? {} : { after: [previous] }),
      limitMs: 40_000,
      async run(signal: AbortSignal): Promise<Finding> {
        if (billed) return { status: 'skipped', found: 'not called: the call before may have been billed' };
        const parameters = build(link);
        const inspection = await faceId.inspect(action, region, parameters, signal);
        record(faceIdCall(name, { action, parameters }, inspection));
        const finding = compare(refusalPoints(inspection));
        const requestId = inspection.failure?.requestId ?? inspection.reply?.RequestId ?? 'none';
        const found = `${finding.found} (RequestId ${requestId})`;
        billed = mayBeBilled(inspection);
        if (!billed) return { ...finding, found };
        return { status: 'warn', found: `${found}; this call may have been billed`, advice: REPORT_DIFFERENCE };
      },
    };
  });
}

interface SampleLink {
  readonly transport: Transport;
  readonly record: Recorder;
  readonly url: string;
}

async function putSample(
  { transport, record, url }: SampleLink,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<Point[]> {
  const headers = {
    'content-length': String(content.byteLength),
    'content-md5': createHash('md5').update(content).digest('base64'),
    'content-type': 'application/octet-stream',
  };
  const body = (async function* () {
    yield content;
  })();
  const response = await transport.request({ method: 'PUT', url, purpose: 'link', headers, body, signal });
  record(cosCall('live.put', { action: 'PutObject', url, headers }, response));
  if (response.status >= 300) throw await readCosFailure(response);
  await response.dump();
  return objectPoints('PUT', { status: response.status, etag: response.header('etag') }, content);
}

async function getSample(
  { transport, record, url }: SampleLink,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<Point[]> {
  const response = await transport.request({ method: 'GET', url, purpose: 'link', signal });
  record(cosCall('live.get', { action: 'GetObject', url, headers: {} }, response));
  if (response.status >= 300) throw await readCosFailure(response);
  const chunks: Uint8Array[] = [];
  for await (const chunk of response.bytes()) chunks.push(chunk);
  if (!Buffer.concat(chunks).equals(content)) {
    throw localFailure(CODES.LINK_MD5_MISMATCH, 'the link returns other content than was put', {
      service: 'cos',
      sent: 'answered',
    });
  }
  const type =
    response.header('content-type') === 'application/octet-stream' ? 'as uploaded' : response.header('content-type');
  return objectPoints('GET', { status: response.status, etag: response.header('etag'), type }, content);
}

function compare(points: readonly Point[]): Finding {
  const different = differences(points);
  if (different.length === 0) return { status: 'ok', found: `matches the emulator in ${points.length} points` };
  const lines = different.map(({ name, expected, actual }) => `${name}: ${actual}, emulator: ${expected}`);
  const found = `${different.length} of ${points.length} points differ: ${[...new Set(lines)].join('; ')}`;
  return { status: 'warn', found, advice: REPORT_DIFFERENCE };
}
