/**
 * The demo's verifications: each with what is wrong with its input, if anything, and the end that this calls for.
 * Everything that goes wrong has a cause: a test card in the package, or something at the emulator.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Source } from '../domain/sources.ts';
import type { Decision, State } from '../domain/states.ts';
import type { VerificationRequest } from '../domain/verification.ts';
import type { EmulatorControl } from '../emulator/control.ts';
import { type SampleOptions, sampleImage, sampleLiveData } from '../emulator/samples.ts';

type Way = 'own-bucket' | 'create-upload-url';
type From = 'file' | 'https' | 'cos';

export interface Expected {
  readonly state: State;
  readonly decision?: Decision;
  /** Code of the reason, where it ends without a decision. */
  readonly reason?: string;
  readonly paidCalls?: number;
  /** Times that it has to go back to upload. */
  readonly rewinds?: number;
}

interface Scenario {
  readonly name: string;
  readonly upload: Way;
  readonly from?: From;
  readonly sample: SampleOptions;
  /** The photo is given as Base64 text. */
  readonly base64Photo?: boolean;
  readonly expected: Expected;
}

export interface PreparedCase {
  readonly name: string;
  readonly request: VerificationRequest;
  readonly expected: Expected;
}

const MATCH: Expected = { state: 'completed', decision: 'match', paidCalls: 1, rewinds: 0 };
const ended = (decision: Decision, paidCalls = 0): Expected => ({
  state: 'completed',
  decision,
  paidCalls,
  rewinds: 0,
});
const match = { card: 'match' };

export const SCENARIOS: readonly Scenario[] = [
  { name: 'match', upload: 'own-bucket', sample: match, expected: MATCH },
  { name: 'match', upload: 'create-upload-url', sample: match, expected: MATCH },
  { name: 'low similarity', upload: 'own-bucket', sample: { card: 'lowSimilarity' }, expected: ended('no_match', 1) },
  { name: 'spoof', upload: 'create-upload-url', sample: { card: 'spoof' }, expected: ended('not_live') },
  { name: 'bad light', upload: 'own-bucket', sample: { card: 'badLight' }, expected: ended('recapture') },
  {
    name: 'unreadable link at first',
    upload: 'own-bucket',
    sample: { card: 'match', first: { unreadable: 1 } },
    expected: { ...MATCH, rewinds: 1 },
  },
  {
    name: 'overwritten before detect',
    upload: 'own-bucket',
    sample: { card: 'match', first: { overwritten: 1 } },
    expected: { ...MATCH, rewinds: 1 },
  },
  {
    name: 'Base64 by mistake',
    upload: 'own-bucket',
    from: 'https',
    sample: match,
    base64Photo: true,
    expected: { state: 'failed', reason: 'SOURCE_NOT_BYTES', paidCalls: 0 },
  },
  {
    name: 'throttled at first',
    upload: 'own-bucket',
    sample: { card: 'match', first: { throttled: 2 } },
    expected: MATCH,
  },
  { name: 'match, https source', upload: 'own-bucket', from: 'https', sample: match, expected: MATCH },
  { name: 'match, COS source', upload: 'own-bucket', from: 'cos', sample: match, expected: MATCH },
  { name: 'match, https source', upload: 'create-upload-url', from: 'https', sample: match, expected: MATCH },
  { name: 'match, COS source', upload: 'create-upload-url', from: 'cos', sample: match, expected: MATCH },
  {
    name: 'unreadable link at first',
    upload: 'create-upload-url',
    sample: { card: 'match', first: { unreadable: 1 } },
    expected: { ...MATCH, rewinds: 1 },
  },
  {
    name: 'overwritten before detect',
    upload: 'create-upload-url',
    sample: { card: 'match', first: { overwritten: 1 } },
    expected: { ...MATCH, rewinds: 1 },
  },
  {
    name: 'low similarity, by code',
    upload: 'create-upload-url',
    sample: { card: 'compareLowSimilarity' },
    expected: ended('no_match', 1),
  },
  {
    name: 'spoof, by error',
    upload: 'own-bucket',
    sample: { card: 'screenReplay', channel: 'error' },
    expected: ended('not_live'),
  },
  {
    name: 'bad light, by error',
    upload: 'create-upload-url',
    sample: { card: 'strongLight', channel: 'error' },
    expected: ended('recapture'),
  },
  {
    name: 'Base64 by mistake',
    upload: 'create-upload-url',
    from: 'cos',
    sample: match,
    base64Photo: true,
    expected: { state: 'failed', reason: 'SOURCE_NOT_BYTES', paidCalls: 0 },
  },
  {
    name: 'engine fault at first',
    upload: 'own-bucket',
    sample: { card: 'match', first: { error: { code: 'FailedOperation.LivessSystemError', times: 1 } } },
    expected: MATCH,
  },
  {
    name: 'throttled at first',
    upload: 'create-upload-url',
    sample: { card: 'match', first: { throttled: 1 } },
    expected: MATCH,
  },
  { name: 'two faces', upload: 'own-bucket', sample: { card: 'manyFaces' }, expected: ended('recapture') },
  { name: 'match, 4 MB', upload: 'own-bucket', sample: { card: 'match', padBytes: 4_000_000 }, expected: MATCH },
  { name: 'match, 4 MB', upload: 'create-upload-url', sample: { card: 'match', padBytes: 4_000_000 }, expected: MATCH },
];

export interface Ground {
  readonly control: EmulatorControl;
  /** A folder among the file roots. */
  readonly inputsDir: string;
  readonly bucket: { readonly name: string; readonly region: string };
}

/** Writes the inputs of so many scenarios, over and over from the first, to where their sources say. */
export async function prepare(count: number, ground: Ground): Promise<PreparedCase[]> {
  await mkdir(ground.inputsDir, { recursive: true });
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const scenario = SCENARIOS[index % SCENARIOS.length] as Scenario;
      const nonce = `demo-${index + 1}`;
      const { from = 'file', base64Photo = false, upload, sample, name, expected } = scenario;
      const photo = sampleImage(nonce);
      const image = base64Photo ? Buffer.from(photo.toString('base64')) : photo;
      const liveData = await place(`${nonce}-live.gz`, sampleLiveData({ ...sample, nonce }), from, ground);
      const resources = { liveData, image: await place(`${nonce}-photo.jpg`, image, from, ground) };
      // As phones do: most people are waiting, some checks run in the background.
      const lane = index % 4 === 3 ? 'batch' : 'interactive';
      return { name, expected, request: requestOf(nonce, upload, resources, ground, lane) };
    }),
  );
}

/** One's own files, by each upload way in turn. What the answer will be is for the files to say. */
export function ownFiles(count: number, liveData: string, image: string, ground: Ground): PreparedCase[] {
  return Array.from({ length: count }, (_, index) => {
    const resources = { liveData: fileSource(liveData), image: fileSource(image) };
    const upload = index % 2 === 0 ? 'own-bucket' : 'create-upload-url';
    const request = requestOf(`own-${index + 1}`, upload, resources, ground, 'interactive');
    return { name: basename(liveData), request, expected: { state: 'completed' } };
  });
}

function requestOf(
  key: string,
  upload: Way,
  resources: { liveData: Source; image: Source },
  ground: Ground,
  lane: 'interactive' | 'batch',
): VerificationRequest {
  const deadline = new Date(Date.now() + 5 * 60_000).toISOString();
  return { key, region: ground.bucket.region as 'ap-singapore', upload, lane, deadline, resources };
}

function fileSource(path: string): Source {
  return { from: 'file', path: resolve(path) };
}

async function place(name: string, bytes: Buffer, from: From, { control, inputsDir, bucket }: Ground): Promise<Source> {
  switch (from) {
    case 'file': {
      const path = join(inputsDir, name);
      await writeFile(path, bytes);
      return { from, path };
    }
    case 'https': {
      const url = `https://files.example.com/captures/${name}`;
      await control.putOrigin(url, bytes);
      return { from, url };
    }
    case 'cos': {
      const key = `captures/${name}`;
      await control.putObject(bucket.name, key, bytes);
      return { from, bucket: bucket.name, region: bucket.region as 'ap-singapore', key };
    }
  }
}
