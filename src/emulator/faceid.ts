/**
 * FaceID: CreateUploadUrl, GenerateReflectSequence, DetectReflectLivenessAndCompare, VideoLivenessCompare. Errors arise from
 * their causes, in the order in which a service meets them: signature, action, region, parameters, account, rate, links,
 * download, MD5, content, the person.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { type ApiError, ApiFault } from './api-fault.ts';
import { type ApiRequest, readApiRequest, readParameters } from './api-request.ts';
import { type Card, isBase64, type Outcome, outcomeOf, readCard } from './cards.ts';
import type { Cos } from './cos.ts';
import { COS_HOST } from './cos.ts';
import { decoded, signedLink } from './cos-signature.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Objects, StoredObject } from './objects.ts';
import { isText, readPicture } from './pictures.ts';
import { sampleImage } from './samples.ts';
import {
  type Credentials,
  frameBucket,
  resourceBucket,
  type Settings,
  VENDOR_APP_ID,
  VENDOR_CREDENTIALS,
} from './settings.ts';
import type { Arrival } from './stops.ts';

export const FACEID_HOST = /^faceid(?:\.intl|\.ap-[a-z]+)?\.tencentcloudapi\.com$/;
const HEAD_BYTES = 65_536;
const MIB = 1024 * 1024;
/** Documented as 3 MB and 8 MB after Base64. */
const MAX_BYTES = { image: 2.25 * MIB, video: 6 * MIB };
const MIN_PIXELS = 64;

const TARGETS = [
  'DetectReflectLivenessAndCompare',
  'VideoLivenessCompare',
  'GenerateReflectSequence',
  'ApplyWebVerificationToken',
];
const LIVENESS_TYPES = ['SILENT', 'ACTION', 'LIP'];
/** Silent, blinking, light, blinking and light. */
const SECURITY_LEVELS = ['1', '2', '3', '4'];
const DEFAULT_SECURITY_LEVEL = '4';
const SEQUENCE_BYTES = 2_048;

export interface FaceIdOptions {
  readonly objects: Objects;
  readonly cos: Cos;
  readonly credentials: readonly Credentials[];
  readonly settings: Settings;
  /** Aborted when the emulator closes. */
  readonly closing: AbortSignal;
  now(): number;
}

interface Asked {
  readonly action: string;
  readonly region: string;
  readonly language: string;
  readonly parameters: Record<string, string>;
}

/** An object with its first bytes. */
type Downloaded = StoredObject & { readonly head: Buffer };

export class FaceId {
  readonly #options: FaceIdOptions;
  /** When calls that were let through had come in, in the last second, by action and region; at the earliest. */
  readonly #recent = new Map<string, number[]>();
  /** How often a package's first calls have gone wrong already, by kind. */
  readonly #firsts = new Map<string, number>();

  constructor(options: FaceIdOptions) {
    this.#options = options;
  }

  async exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Promise<Exchange> {
    const body = Buffer.concat(await request.toArray());
    const { method = '', headers } = request;
    const asked = readApiRequest({ method, url, headers, body });
    const { action, region } = asked;
    const call = { service: 'faceid', action, region, objects: objectsNamed(asked.text) } as const;
    return {
      request,
      response,
      call,
      arrival,
      perform: () => this.#perform(asked, arrival),
      refuse: (fault) => {
        const requestId = randomUUID();
        if (fault.kind === 'error')
          return failed({ code: fault.code, message: fault.message ?? fault.code }, requestId);
        return resulted({ result: fault.code, similarity: fault.similarity ?? 0, what: fault.code }, null, requestId);
      },
    };
  }

  reset(): void {
    this.#recent.clear();
    this.#firsts.clear();
  }

  async #perform(request: ApiRequest, arrival: Arrival): Promise<Answer> {
    const requestId = randomUUID();
    try {
      const { credentials, settings } = this.#options;
      const problem = request.problem(credentials, this.#options.now());
      if (problem !== null) return failed(problem, requestId);
      const { action, region, language } = request;
      const asked: Asked = { action, region, language, parameters: readParameters(request) };
      if (settings.accountError !== null) throw new ApiFault(settings.accountError, settings.accountError);
      this.#rate(asked, arrival);
      await this.#takeTime(settings.latencyMs[asked.action] ?? 0);
      if (asked.action === 'CreateUploadUrl') return this.#createUploadUrl(asked, requestId);
      if (asked.action === 'GenerateReflectSequence') return await this.#generateSequence(asked, requestId);
      return await this.#compare(asked, requestId);
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      return failed(error.answer, requestId, error.objects);
    }
  }

  /** At most so many calls in any second; what a stop of this process has brought together is given the benefit of the doubt. */
  #rate({ action, region }: Asked, { at, waitedMs }: Arrival): void {
    const limit = this.#options.settings.qps[action];
    if (limit === undefined) return;
    const name = `${action} ${region}`;
    const recent = (this.#recent.get(name) ?? []).filter((before) => before > at - 1_000);
    this.#recent.set(name, recent);
    if (recent.length >= limit) {
      throw new ApiFault(
        'RequestLimitExceeded',
        `The request rate exceeds the frequency limit ${limit}/s of this API.`,
      );
    }
    recent.push(at - waitedMs);
  }

  async #takeTime(ms: number): Promise<void> {
    if (ms > 0) await pause(ms, undefined, { signal: this.#options.closing });
  }

  #createUploadUrl({ region, parameters }: Asked, requestId: string): Answer {
    const target = parameters.TargetAction ?? '';
    if (!TARGETS.includes(target))
      throw new ApiFault('InvalidParameterValue', 'The value of TargetAction is not valid.');
    const now = this.#options.now();
    const until = now + this.#options.settings.linkTtlMs;
    const key = `faceid/${target}/${VENDOR_APP_ID}/${randomUUID()}`;
    const bucket = resourceBucket(region);
    const host = `${bucket}.cos.${region}.myqcloud.com`;
    const link = (method: string) => signedLink(method, host, key, VENDOR_CREDENTIALS, now, until);
    const fields = { UploadUrl: link('PUT'), ResourceUrl: link('GET'), ExpiredTimestamp: Math.floor(until / 1000) };
    return answered(fields, requestId, { code: 'Success', billed: false, objects: [`${bucket}/${key}`] });
  }

  async #compare(asked: Asked, requestId: string): Promise<Answer> {
    const { parameters } = asked;
    const first = asked.action === 'VideoLivenessCompare' ? 'Video' : 'LiveData';
    if (first === 'Video' && !LIVENESS_TYPES.includes(parameters.LivenessType ?? '')) {
      throw new ApiFault('InvalidParameterValue', 'The value of LivenessType is not valid.');
    }
    for (const name of [first, 'Image']) refuseForeignLink(parameters[`${name}Url`] ?? '', asked.region);
    const live = await this.#download(parameters[`${first}Url`] ?? '', HEAD_BYTES);
    const image = await this.#download(parameters.ImageUrl ?? '', MAX_BYTES.image);
    const objects = [live, image].map((each) => `${each.bucket}/${each.key}`);
    const card = await cardOf(live, objects);
    await this.#goWrongAtFirst(card, live, objects);
    this.#compareMd5(live, parameters[`${first}Md5`], asked, objects);
    this.#compareMd5(image, parameters.ImageMd5, asked, objects);
    const unusable = packageProblem(live, first) ?? photoProblem(image);
    if (unusable !== null) return resulted(unusable, null, requestId, objects);

    if (card.slowMs !== undefined) await this.#takeTime(card.slowMs);
    const outcome = outcomeOf(card);
    if (outcome.result !== 'Success' && card.channel === 'error')
      throw new ApiFault(outcome.result, outcome.what || outcome.result, objects);
    const frame = outcome.result === 'Success' ? await this.#bestFrame(asked.region) : null;
    return resulted(outcome, frame, requestId, objects);
  }

  /** The sequence is made for this call and means nothing to anybody: no phone plays it. */
  async #generateSequence(asked: Asked, requestId: string): Promise<Answer> {
    const { DeviceDataUrl = '', DeviceDataMd5, SecurityLevel = DEFAULT_SECURITY_LEVEL } = asked.parameters;
    if (!SECURITY_LEVELS.includes(SecurityLevel))
      throw new ApiFault('InvalidParameterValue', 'The value of SecurityLevel is not valid.');
    refuseForeignLink(DeviceDataUrl, asked.region);
    const data = await this.#download(DeviceDataUrl, HEAD_BYTES);
    const objects = [`${data.bucket}/${data.key}`];
    const card = await cardOf(data, objects);
    await this.#goWrongAtFirst(card, data, objects);
    this.#compareMd5(data, DeviceDataMd5, asked, objects);
    if (!isBase64(data.head.toString('latin1')))
      throw new ApiFault('InvalidParameterValue', 'The device data is not what the SDK gives.', objects);
    if (card.slowMs !== undefined) await this.#takeTime(card.slowMs);
    const { result, what } = outcomeOf(card);
    if (result !== 'Success') throw new ApiFault(result, what || result, objects);
    const { url, md5 } = await this.#given(asked.region, `sequence/${randomUUID()}`, randomBytes(SEQUENCE_BYTES));
    const fields = { ReflectSequenceUrl: url, ReflectSequenceMd5: md5 };
    return answered(fields, requestId, { code: 'Success', billed: false, objects });
  }

  async #download(link: string, bytes: number): Promise<Downloaded> {
    const stored = this.#options.cos.readByLink(link);
    const head = stored === null ? null : await this.#options.objects.head(stored, bytes);
    if (stored === null || head === null) throw new ApiFault('FailedOperation.DownLoadError', 'File download failed.');
    return { ...stored, head };
  }

  /** Of what lies there now: what was there a moment ago may have been overwritten. */
  #compareMd5(read: StoredObject, md5: string | undefined, { language }: Asked, objects: readonly string[]): void {
    if (this.#options.objects.get(read.bucket, read.key)?.md5 === md5?.toLowerCase()) return;
    throw new ApiFault('InvalidParameterValue', language === 'en-US' ? 'MD5 Error' : 'md5错误', objects);
  }

  async #goWrongAtFirst(card: Card, live: StoredObject, objects: readonly string[]): Promise<void> {
    const { first } = card;
    if (first === undefined) return;
    const again = (kind: string, times: number) => {
      const name = `${kind} ${card.nonce ?? live.md5}`;
      const seen = this.#firsts.get(name) ?? 0;
      this.#firsts.set(name, seen + 1);
      return seen < times;
    };
    if (again('throttled', first.throttled ?? 0)) {
      throw new ApiFault('RequestLimitExceeded', 'The request rate exceeds the frequency limit of this API.', objects);
    }
    if (again('unreadable', first.unreadable ?? 0))
      throw new ApiFault('FailedOperation.DownLoadError', 'File download failed.', objects);
    if (first.error !== undefined && again('error', first.error.times))
      throw new ApiFault(first.error.code, first.error.code, objects);
    if (again('overwritten', first.overwritten ?? 0)) {
      await this.#options.objects.put(live.bucket, live.key, Buffer.from('somebody else wrote this'), live.contentType);
    }
  }

  async #bestFrame(region: string): Promise<Frame> {
    const { url, md5 } = await this.#given(region, `bestframe/${randomUUID()}.jpg`, sampleImage(), 'image/jpeg');
    return { BestFrameUrl: url, BestFrameMd5: md5 };
  }

  /** A link to what FaceID gives; on another host than the inputs, as the documentation allows. */
  async #given(region: string, key: string, body: Buffer, contentType = 'application/octet-stream') {
    const bucket = frameBucket(region);
    const { md5 } = await this.#options.objects.put(bucket, key, body, contentType);
    const now = this.#options.now();
    const until = now + this.#options.settings.frameTtlMs;
    const url = signedLink('GET', `${bucket}.cos.${region}.myqcloud.com`, key, VENDOR_CREDENTIALS, now, until);
    return { url, md5 };
  }
}

async function cardOf({ head }: Downloaded, objects: readonly string[]): Promise<Card> {
  const card = await readCard(head);
  if (card === null) throw new ApiFault('EmulatorBadCard', 'The test card is misspelt: see docs/emulator.md.', objects);
  return card;
}

function packageProblem({ head, sizeBytes }: Downloaded, kind: 'LiveData' | 'Video'): Outcome | null {
  const wrong = (result: string) => ({ result, similarity: 0, what: 'The content is not what this action takes.' });
  if (kind === 'LiveData')
    return head[0] === 0x1f && head[1] === 0x8b ? null : wrong('FailedOperation.LivessUnknownError');
  if (sizeBytes > MAX_BYTES.video) return wrong('FailedOperation.LipSizeError');
  const text = head.toString('latin1', 0, 16);
  const known =
    text.slice(4, 8) === 'ftyp' ||
    text.startsWith('FLV\u0001') ||
    (text.startsWith('RIFF') && text.slice(8, 12) === 'AVI ');
  return known ? null : wrong('FailedOperation.LipVideoInvalid');
}

function photoProblem({ head, sizeBytes }: Downloaded): Outcome | null {
  const wrong = (result: string) => ({ result, similarity: 0, what: 'The image cannot be used.' });
  if (isText(head.subarray(0, HEAD_BYTES))) return wrong('FailedOperation.LifePhotoDetectFaces'); // Base64 leads to this
  if (sizeBytes > MAX_BYTES.image) return wrong('FailedOperation.ImageSizeTooLarge');
  // The whole image: what a camera writes before the size may be longer than any head.
  const picture = readPicture(head);
  if (picture === null) return wrong('FailedOperation.ImageDecodeFailed');
  return Math.min(picture.width, picture.height) < MIN_PIXELS ? wrong('FailedOperation.LifePhotoSizeError') : null;
}

function refuseForeignLink(link: string, region: string): void {
  const host = URL.canParse(link) ? COS_HOST.exec(new URL(link).hostname) : null;
  if (host?.[2] !== region) throw new ApiFault('InvalidParameterValue', 'invalid resourceUrl');
}

/** Which objects a call is about, for faults and for the log: host and path of its links, without their signatures. */
function objectsNamed(text: string): string[] {
  return [...text.matchAll(/https:\/\/([a-z0-9.-]+)\/([^?"\\]+)/g)].map(([, host = '', path = '']) => {
    const bucket = COS_HOST.exec(host)?.[1] ?? host;
    return `${bucket}/${decoded(path) ?? path}`;
  });
}

type Frame = { BestFrameUrl: string; BestFrameMd5: string };

function resulted(outcome: Outcome, frame: Frame | null, requestId: string, objects: readonly string[] = []): Answer {
  const billed = outcome.result === 'Success' || outcome.result.endsWith('.CompareLowSimilarity');
  const fields = {
    BestFrameUrl: frame?.BestFrameUrl ?? '',
    BestFrameMd5: frame?.BestFrameMd5 ?? '',
    Result: outcome.result,
    Description: outcome.result === 'Success' ? 'Success' : outcome.what,
    Sim: outcome.similarity,
  };
  return answered(fields, requestId, { code: outcome.result, billed, ...(objects.length === 0 ? {} : { objects }) });
}

function failed({ code, message }: ApiError, requestId: string, objects: readonly string[] = []): Answer {
  const billed = code.endsWith('.CompareLowSimilarity');
  const facts = { code, billed, ...(objects.length === 0 ? {} : { objects }) };
  return answered({ Error: { Code: code, Message: message } }, requestId, facts);
}

function answered(fields: object, requestId: string, facts: Answer['facts']): Answer {
  const body = Buffer.from(JSON.stringify({ Response: { ...fields, RequestId: requestId } }));
  return { status: 200, headers: { 'content-type': 'application/json' }, body, facts: { requestId, ...facts } };
}
