/**
 * The verifications and sessions of the demo. Each scenario has an input and an expected result. Some inputs fail on purpose, either
 * because of a test card in the liveness package or because of a fault that the emulator simulates.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { SessionRequest } from '../../domain/verification/session-request.ts';
import type { Source } from '../../domain/verification/sources.ts';
import type { Decision, NextStep, State } from '../../domain/verification/states.ts';
import type { EmulatorControl, PlayStep } from '../../emulator/control.ts';
import { type SampleOptions, sampleImage, sampleLiveData, sampleVideo } from '../../emulator/samples.ts';

type UploadWay = 'own-bucket' | 'create-upload-url' | 'in-request';
type SourceKind = 'file' | 'https' | 'cos';
type Liveness = NonNullable<VerificationRequest['liveness']>;

export interface ExpectedResult {
  readonly state: State;
  readonly decision?: Decision;
  /** Code of the reason if there is no decision. */
  readonly reason?: string;
  readonly paidCalls?: number;
  /** How many times the verification goes back to the upload stage. */
  readonly rewinds?: number;
  readonly next?: NextStep;
}

interface FileScenario {
  readonly name: string;
  readonly upload: UploadWay;
  readonly from?: SourceKind;
  readonly sample: SampleOptions;
  /** The input is a video of this liveness type, not a liveness package. */
  readonly video?: Liveness;
  /** The photo is given as Base64 text. */
  readonly base64Photo?: boolean;
  readonly secondOpinion?: true;
  readonly expected: ExpectedResult;
}

/** What the phone or page of a session does. */
export type PhoneStep = PlayStep extends infer Step ? (Step extends unknown ? Omit<Step, 'token'> : never) : never;

interface SessionScenario {
  readonly name: string;
  readonly flow: SessionRequest['action'];
  readonly parameters?: object;
  /** Whether the person is compared with a photo that the request brings. */
  readonly bringsPhoto?: boolean;
  readonly media?: SessionRequest['media'];
  readonly phone: readonly PhoneStep[];
  readonly expected: ExpectedResult;
}

type Scenario = FileScenario | SessionScenario;

interface CommonCase {
  readonly name: string;
  readonly expected: ExpectedResult;
}
export interface VerificationCase extends CommonCase {
  readonly request: VerificationRequest;
}
export interface SessionCase extends CommonCase {
  readonly session: SessionRequest;
  readonly phone: readonly PhoneStep[];
}
export type DemoCase = VerificationCase | SessionCase;

export function isSessionCase(demoCase: DemoCase): demoCase is SessionCase {
  return 'session' in demoCase;
}

const MATCH: ExpectedResult = { state: 'completed', decision: 'match', paidCalls: 1, rewinds: 0 };
const completedWith = (decision: Decision, paidCalls = 0): ExpectedResult => ({
  state: 'completed',
  decision,
  paidCalls,
  rewinds: 0,
});
const match = { card: 'match' };

export const SCENARIOS: readonly Scenario[] = [
  { name: 'match', upload: 'own-bucket', sample: match, expected: MATCH },
  { name: 'match', upload: 'create-upload-url', sample: match, expected: MATCH },
  {
    name: 'low similarity',
    upload: 'own-bucket',
    sample: { card: 'lowSimilarity' },
    expected: completedWith('no_match', 1),
  },
  { name: 'spoof', upload: 'create-upload-url', sample: { card: 'spoof' }, expected: completedWith('not_live') },
  { name: 'bad light', upload: 'own-bucket', sample: { card: 'badLight' }, expected: completedWith('recapture') },
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
    expected: completedWith('no_match', 1),
  },
  {
    name: 'spoof, by error',
    upload: 'own-bucket',
    sample: { card: 'screenReplay', channel: 'error' },
    expected: completedWith('not_live'),
  },
  {
    name: 'bad light, by error',
    upload: 'create-upload-url',
    sample: { card: 'strongLight', channel: 'error' },
    expected: completedWith('recapture'),
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
  { name: 'two faces', upload: 'own-bucket', sample: { card: 'manyFaces' }, expected: completedWith('recapture') },
  { name: 'match, 4 MB', upload: 'own-bucket', sample: { card: 'match', padBytes: 4_000_000 }, expected: MATCH },
  { name: 'match, 4 MB', upload: 'create-upload-url', sample: { card: 'match', padBytes: 4_000_000 }, expected: MATCH },
  { name: 'video, match', upload: 'own-bucket', video: { type: 'SILENT' }, sample: match, expected: MATCH },
  {
    name: 'video, spoken digits',
    upload: 'create-upload-url',
    video: { type: 'LIP', validateData: '4071' },
    sample: match,
    expected: MATCH,
  },
  { name: 'video in the call', upload: 'in-request', video: { type: 'SILENT' }, sample: match, expected: MATCH },
  {
    name: 'fake, by second opinion',
    upload: 'own-bucket',
    sample: { card: 'match', frame: 'spoof' },
    secondOpinion: true,
    expected: { ...MATCH, next: 'refuse' },
  },
  {
    name: 'document and face',
    flow: 'ApplySdkVerificationToken',
    parameters: { CheckMode: 1 },
    media: ['bestFrame', 'profileImage', 'ocr'],
    phone: [{ step: 'finish' }],
    expected: completedWith('match', 1),
  },
  {
    name: 'low similarity',
    flow: 'GetFaceIdTokenIntl',
    parameters: { CheckMode: 'compare' },
    bringsPhoto: true,
    phone: [{ step: 'finish', card: 'lowSimilarity' }],
    // Tencent does not document whether it bills this code, so the session counts as possibly paid.
    expected: completedWith('no_match'),
  },
  {
    name: 'liveness only, with video',
    flow: 'ApplyLivenessToken',
    media: ['bestFrame', 'liveVideo'],
    phone: [{ step: 'finish' }],
    expected: completedWith('live', 1),
  },
  {
    name: 'page, bad light at first',
    flow: 'ApplyWebVerificationBizTokenIntl',
    parameters: { RedirectURL: 'https://shop.example.com/verified/{id}' },
    bringsPhoto: true,
    phone: [{ step: 'start' }, { step: 'try', card: 'badLight' }, { step: 'finish' }],
    expected: completedWith('match', 1),
  },
];

/** Where the demo stores its inputs. */
export interface InputStores {
  readonly control: EmulatorControl;
  /** A folder inside the file roots. */
  readonly inputsDir: string;
  readonly bucket: { readonly name: string; readonly region: string };
}

/** Writes the inputs of `count` cases to their sources. The scenarios are used in turn and repeat after the last one. */
export async function prepareScenarios(count: number, stores: InputStores): Promise<DemoCase[]> {
  await mkdir(stores.inputsDir, { recursive: true });
  return Promise.all(
    Array.from({ length: count }, (_, index) => {
      const scenario = SCENARIOS[index % SCENARIOS.length] as Scenario;
      const key = `demo-${index + 1}`;
      if ('flow' in scenario) return prepareSession(scenario, key, stores);
      // As in production: a person waits for the result of most verifications, and the rest run in the background.
      return prepareVerification(scenario, { key, lane: index % 4 === 3 ? 'batch' : 'interactive' }, stores);
    }),
  );
}

async function prepareVerification(
  { from = 'file', base64Photo = false, upload, sample, video, secondOpinion, name, expected }: FileScenario,
  { key, lane }: Pick<RequestParts, 'key' | 'lane'>,
  stores: InputStores,
): Promise<VerificationCase> {
  const photo = sampleImage(key);
  const image = base64Photo ? Buffer.from(photo.toString('base64')) : photo;
  const card = { ...sample, nonce: key };
  const recording =
    video === undefined
      ? { liveData: await storeInput(`${key}-live.gz`, sampleLiveData(card), from, stores) }
      : { video: await storeInput(`${key}.mp4`, sampleVideo(card), from, stores) };
  const resources = { ...recording, image: await storeInput(`${key}-photo.jpg`, image, from, stores) };
  const asked = secondOpinion === undefined ? {} : { secondOpinion };
  const request = { ...buildRequest({ key, upload, resources, lane }, stores), ...asked };
  if (video === undefined) return { name, expected, request };
  const action = upload === 'in-request' ? 'CompareFaceLiveness' : 'VideoLivenessCompare';
  return { name, expected, request: { ...request, action, liveness: video } };
}

async function prepareSession(
  { flow, parameters = {}, bringsPhoto = false, media, name, phone, expected }: SessionScenario,
  key: string,
  stores: InputStores,
): Promise<SessionCase> {
  const photo = bringsPhoto ? await storeInput(`${key}-photo.jpg`, sampleImage(key), 'file', stores) : null;
  const session = {
    ...{ key, action: flow, region: stores.bucket.region, parameters },
    ...(photo === null ? {} : { resources: { image: photo } }),
    ...(media === undefined ? {} : { media }),
  } as SessionRequest;
  return { name, session, phone, expected };
}

export interface OwnFiles {
  readonly liveData: string;
  readonly image: string;
}

/** Cases from the user's own files, with alternating upload methods. Any decision is accepted. */
export function prepareOwnFiles(count: number, { liveData, image }: OwnFiles, stores: InputStores): VerificationCase[] {
  return Array.from({ length: count }, (_, index) => {
    const resources = { liveData: fileSource(liveData), image: fileSource(image) };
    const upload = index % 2 === 0 ? 'own-bucket' : 'create-upload-url';
    const request = buildRequest({ key: `own-${index + 1}`, upload, resources, lane: 'interactive' }, stores);
    return { name: basename(liveData), request, expected: { state: 'completed' } };
  });
}

type RequestParts = Required<Pick<VerificationRequest, 'key' | 'resources' | 'lane'>> & { readonly upload: UploadWay };

function buildRequest({ upload, ...parts }: RequestParts, { bucket }: InputStores): VerificationRequest {
  const deadline = new Date(Date.now() + 5 * 60_000).toISOString();
  const way = upload === 'in-request' ? {} : { upload };
  return { ...parts, ...way, region: bucket.region as 'ap-singapore', deadline };
}

function fileSource(path: string): Source {
  return { from: 'file', path: resolve(path) };
}

async function storeInput(
  name: string,
  bytes: Buffer,
  from: SourceKind,
  { control, inputsDir, bucket }: InputStores,
): Promise<Source> {
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
