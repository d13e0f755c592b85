/**
 * FaceID: the calls that take links, and the way of every call to the part that answers it.
 *
 * Each error has a real cause. Causes are checked in the order in which a service meets them: signature, action, version,
 * region, parameters, account, rate, links, download, card, MD5, content, the person.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiFailure } from './api-failure.ts';
import { type ApiRequest, readApiRequest, validateParameters } from './api-request.ts';
import { compareFaceLiveness, detectAIFakeFaces } from './base64-calls.ts';
import { isBilled } from './billing.ts';
import { type Card, isBase64, type Outcome, readCard, resolveOutcome } from './cards.ts';
import type { Cos } from './cos.ts';
import { BUCKET_HOST, hostOf } from './cos-hosts.ts';
import { createSignedLink, percentDecode } from './cos-signature.ts';
import type { Answer, Exchange } from './exchange.ts';
import { answerApiError, answerFields, answerResult, type BestFrame, type IsBilled } from './faceid-answers.ts';
import {
  checkLiveData,
  checkPhoto,
  checkVideo,
  type Download,
  HEAD_BYTES,
  IMAGE_HEAD_BYTES,
  isValidateData,
} from './faceid-content.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';
import type { NewOutput, OutputStore } from './output-store.ts';
import { RateLimiter } from './rate-limiter.ts';
import { sampleImage } from './samples.ts';
import { type Credentials, resourceBucketName, type Settings, VENDOR_APP_ID, VENDOR_CREDENTIALS } from './settings.ts';
import type { Arrival } from './stall-detector.ts';
import { faultyResult, isResultCall, isStart, type TokenFlows } from './token-flows.ts';

export const FACEID_HOST = /^faceid(?:\.intl|\.(?:ap|sa)-[a-z]+)?\.tencentcloudapi\.com$/;

const TARGET_ACTIONS = [
  'DetectReflectLivenessAndCompare',
  'VideoLivenessCompare',
  'GenerateReflectSequence',
  'ApplyWebVerificationToken',
];
const LIVENESS_TYPES = ['SILENT', 'ACTION', 'LIP'];
/** The security levels of a light sequence. 1: silent. 2: blinking. 3: light. 4: blinking and light. */
const SECURITY_LEVELS = ['1', '2', '3', '4'];
const DEFAULT_SECURITY_LEVEL = '4';
const SEQUENCE_BYTES = 2_048;

export interface FaceIdOptions {
  readonly objects: ObjectStore;
  readonly cos: Cos;
  readonly outputs: OutputStore;
  readonly tokenFlows: TokenFlows;
  readonly credentials: readonly Credentials[];
  readonly settings: Settings;
  /** Aborted when the emulator closes. */
  readonly closing: AbortSignal;
  /** The vendor's clock. */
  now(): number;
}

interface ValidRequest {
  readonly requestId: string;
  readonly action: string;
  readonly region: string;
  readonly language: string;
  readonly parameters: Record<string, string>;
}

/** An input of a call: the downloaded object, and the object's MD5 according to the parameters. */
interface Input {
  readonly download: Download;
  readonly expectedMd5: string | undefined;
}

export class FaceId {
  readonly #options: FaceIdOptions;
  readonly #rateLimiter = new RateLimiter();
  /** How many calls have been counted for the `first` field of a card, by kind of failure and package. */
  readonly #firstCalls = new Map<string, number>();

  constructor(options: FaceIdOptions) {
    this.#options = options;
  }

  async exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Promise<Exchange> {
    const body = Buffer.concat(await request.toArray());
    const { method = '', headers } = request;
    const apiRequest = readApiRequest({ method, url, headers, body }, 'faceid');
    const { action, region, parameterText } = apiRequest;
    return {
      request,
      response,
      call: { service: 'faceid', action, region, objects: findLinkedObjects(parameterText) },
      arrival,
      perform: () => this.#perform(apiRequest, arrival),
      refuse: (fault) => {
        const requestId = randomUUID();
        const isBilled = this.#billOf(action);
        if (fault.kind === 'error')
          return answerApiError({ code: fault.code, message: fault.message ?? fault.code }, requestId, isBilled);
        if (isResultCall(action)) return faultyResult(action, fault.code, requestId);
        const outcome = { result: fault.code, similarity: fault.similarity ?? 0, description: fault.code };
        return answerResult({ action, requestId, outcome, bestFrame: null, objects: [], isBilled });
      },
    };
  }

  reset(): void {
    this.#rateLimiter.reset();
    this.#firstCalls.clear();
  }

  #billOf(action: string): IsBilled {
    return (code) => isBilled(action, code, this.#options.settings.billUndocumented);
  }

  async #perform(apiRequest: ApiRequest, arrival: Arrival): Promise<Answer> {
    const requestId = randomUUID();
    const { credentials, settings } = this.#options;
    try {
      const error = apiRequest.checkSignature(credentials, this.#options.now());
      if (error !== null) return answerApiError(error, requestId, () => false);
      const { action, region, language } = apiRequest;
      const parameters = validateParameters(apiRequest);
      if (settings.accountError !== null) throw new ApiFailure(settings.accountError, settings.accountError);
      this.#enforceRate(action, region, arrival);
      await this.#sleep(settings.latencyMs[action] ?? 0);
      if (isStart(action)) return this.#options.tokenFlows.start({ requestId, action, region, parameters });
      if (isResultCall(action)) return await this.#options.tokenFlows.result({ requestId, action, region, parameters });
      const base64Request = {
        requestId,
        parameters,
        isBilled: this.#billOf(action),
        sleep: (ms: number) => this.#sleep(ms),
      };
      if (action === 'CompareFaceLiveness') return await compareFaceLiveness(base64Request);
      if (action === 'DetectAIFakeFaces') return await detectAIFakeFaces(base64Request);
      // The remaining actions have only parameters of type string.
      const request: ValidRequest = {
        requestId,
        action,
        region,
        language,
        parameters: parameters as Record<string, string>,
      };
      if (action === 'CreateUploadUrl') return this.#createUploadUrl(request);
      if (action === 'GenerateReflectSequence') return await this.#generateSequence(request);
      return await this.#verify(request);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      return answerApiError(error.apiError, requestId, this.#billOf(apiRequest.action), error.objects);
    }
  }

  #enforceRate(action: string, region: string, arrival: Arrival): void {
    const limit = this.#options.settings.qps[action];
    if (limit === undefined || this.#rateLimiter.tryAccept(action, region, limit, arrival)) return;
    throw new ApiFailure(
      'RequestLimitExceeded',
      `The request rate exceeds the frequency limit ${limit}/s of this API.`,
    );
  }

  async #sleep(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.#options.closing });
  }

  #createUploadUrl({ requestId, region, parameters }: ValidRequest): Answer {
    const target = parameters.TargetAction ?? '';
    if (!TARGET_ACTIONS.includes(target))
      throw new ApiFailure('InvalidParameterValue', 'The value of TargetAction is not valid.');
    const bucket = resourceBucketName(region);
    const key = `faceid/${target}/${VENDOR_APP_ID}/${randomUUID()}`;
    const validFrom = this.#options.now();
    const validUntil = validFrom + this.#options.settings.linkTtlMs;
    const link = (method: string) =>
      createSignedLink({
        method,
        host: hostOf({ bucket, region }),
        key,
        credentials: VENDOR_CREDENTIALS,
        validFrom,
        validUntil,
      });
    const fields = {
      UploadUrl: link('PUT'),
      ResourceUrl: link('GET'),
      ExpiredTimestamp: Math.floor(validUntil / 1000),
    };
    return answerFields(fields, requestId, { code: 'Success', billed: false, objects: [`${bucket}/${key}`] });
  }

  /** DetectReflectLivenessAndCompare and VideoLivenessCompare, which differ only in their first input. */
  async #verify(request: ValidRequest): Promise<Answer> {
    const { action, requestId, region, parameters } = request;
    const isVideo = action === 'VideoLivenessCompare';
    const { LivenessType = '', ValidateData = '' } = parameters;
    if (isVideo && !LIVENESS_TYPES.includes(LivenessType))
      throw new ApiFailure('InvalidParameterValue', 'The value of LivenessType is not valid.');
    if (isVideo && !isValidateData(LivenessType, ValidateData))
      throw new ApiFailure('InvalidParameterValue', 'The value of ValidateData is not valid.');
    const { ImageUrl = '', ImageMd5 } = parameters;
    const [liveUrl = '', liveMd5] = isVideo
      ? [parameters.VideoUrl, parameters.VideoMd5]
      : [parameters.LiveDataUrl, parameters.LiveDataMd5];
    for (const link of [liveUrl, ImageUrl]) refuseForeignLink(link, region);
    const live = await this.#download(liveUrl, HEAD_BYTES);
    const image = await this.#download(ImageUrl, IMAGE_HEAD_BYTES);
    const inputs = [
      { download: live, expectedMd5: liveMd5 },
      { download: image, expectedMd5: ImageMd5 },
    ];
    const objects = objectNames(inputs);
    const card = await this.#applyCard(request, live, inputs);
    const unusable = (isVideo ? checkVideo(live) : await this.#checkLiveData(live)) ?? checkPhoto(image, action);
    const answer = { action, requestId, objects, isBilled: this.#billOf(action) };
    if (unusable !== null) return answerResult({ ...answer, outcome: unusable, bestFrame: null });

    await this.#sleep(card.slowMs ?? 0);
    const outcome = resolveOutcome(card);
    const isSuccess = outcome.result === 'Success';
    if (!isSuccess && card.channel === 'error')
      throw new ApiFailure(outcome.result, outcome.description || outcome.result, objects);
    const content = sampleImage(undefined, card.frame);
    const frame = { key: `bestframe/${randomUUID()}.jpg`, content, contentType: 'image/jpeg' };
    const bestFrame = isSuccess ? await this.#publish(region, frame) : null;
    return answerResult({ ...answer, outcome, bestFrame });
  }

  async #checkLiveData(live: Download): Promise<Outcome | null> {
    const content = await this.#options.objects.stream(live);
    if (content === null) throw new ApiFailure('FailedOperation.DownLoadError', 'File download failed.');
    return checkLiveData(live, content);
  }

  /** Answers GenerateReflectSequence. The sequence is random bytes, which no phone can play. */
  async #generateSequence(request: ValidRequest): Promise<Answer> {
    const { requestId, region } = request;
    const { DeviceDataUrl = '', DeviceDataMd5, SecurityLevel = DEFAULT_SECURITY_LEVEL } = request.parameters;
    if (!SECURITY_LEVELS.includes(SecurityLevel))
      throw new ApiFailure('InvalidParameterValue', 'The value of SecurityLevel is not valid.');
    refuseForeignLink(DeviceDataUrl, region);
    const data = await this.#download(DeviceDataUrl, HEAD_BYTES);
    const inputs = [{ download: data, expectedMd5: DeviceDataMd5 }];
    const objects = objectNames(inputs);
    const card = await this.#applyCard(request, data, inputs);
    if (!isBase64(data.head.toString('latin1')))
      throw new ApiFailure('InvalidParameterValue', 'The device data is not what the SDK gives.', objects);
    await this.#sleep(card.slowMs ?? 0);
    const { result, description } = resolveOutcome(card);
    if (result !== 'Success') throw new ApiFailure(result, description || result, objects);
    const sequence = {
      key: `sequence/${randomUUID()}`,
      content: randomBytes(SEQUENCE_BYTES),
      contentType: 'application/octet-stream',
    };
    const { url, md5 } = await this.#publish(region, sequence);
    const fields = { ReflectSequenceUrl: url, ReflectSequenceMd5: md5 };
    return answerFields(fields, requestId, { code: 'Success', billed: false, objects });
  }

  async #download(link: string, headBytes: number): Promise<Download> {
    const stored = this.#options.cos.readByLink(link);
    const head = stored === null ? null : await this.#options.objects.head(stored, headBytes);
    if (stored === null || head === null)
      throw new ApiFailure('FailedOperation.DownLoadError', 'File download failed.');
    return { ...stored, head };
  }

  /** Reads the card, causes the failures that it asks for, and then compares the inputs' MD5s. */
  async #applyCard({ language }: ValidRequest, carrier: Download, inputs: readonly Input[]): Promise<Card> {
    const objects = objectNames(inputs);
    const card = await readCard(carrier.head);
    if (card === null)
      throw new ApiFailure('EmulatorBadCard', 'The test card is misspelt: see docs/emulator.md.', objects);
    await this.#failFirstCalls(card, carrier, objects);
    for (const { download, expectedMd5 } of inputs) {
      // Compare the current object: it may have been overwritten since the download.
      const current = this.#options.objects.get(download.bucket, download.key);
      if (current?.md5 === expectedMd5?.toLowerCase()) continue;
      throw new ApiFailure('InvalidParameterValue', language === 'en-US' ? 'MD5 Error' : 'md5错误', objects);
    }
    return card;
  }

  /** Causes at most one of the failures in the card's `first`. */
  async #failFirstCalls({ first, nonce }: Card, carrier: StoredObject, objects: readonly string[]): Promise<void> {
    if (first === undefined) return;
    const shouldFail = (kind: string, times: number) => {
      const name = `${kind} ${nonce ?? carrier.md5}`;
      const previousCalls = this.#firstCalls.get(name) ?? 0;
      this.#firstCalls.set(name, previousCalls + 1);
      return previousCalls < times;
    };
    if (shouldFail('throttled', first.throttled ?? 0)) {
      const message = 'The request rate exceeds the frequency limit of this API.';
      throw new ApiFailure('RequestLimitExceeded', message, objects);
    }
    if (shouldFail('unreadable', first.unreadable ?? 0))
      throw new ApiFailure('FailedOperation.DownLoadError', 'File download failed.', objects);
    if (first.error !== undefined && shouldFail('error', first.error.times))
      throw new ApiFailure(first.error.code, first.error.code, objects);
    if (shouldFail('overwritten', first.overwritten ?? 0)) {
      const { bucket, key, contentType } = carrier;
      await this.#options.objects.put({ bucket, key, content: Buffer.from('somebody else wrote this'), contentType });
    }
  }

  /** Stores FaceID's output, and returns a link to it. */
  async #publish(region: string, output: NewOutput): Promise<BestFrame> {
    const { outputs, settings } = this.#options;
    const stored = await outputs.put(region, output);
    return { url: outputs.link(stored, region, settings.frameTtlMs), md5: stored.md5, sizeBytes: stored.sizeBytes };
  }
}

function objectNames(inputs: readonly Input[]): string[] {
  return inputs.map(({ download: { bucket, key } }) => `${bucket}/${key}`);
}

function refuseForeignLink(link: string, region: string): void {
  const host = URL.canParse(link) ? BUCKET_HOST.exec(new URL(link).hostname) : null;
  if (host?.[2] !== region) throw new ApiFailure('InvalidParameterValue', 'invalid resourceUrl');
}

/** The objects named by the links of a call, for faults and the log: host and path without the signatures. */
function findLinkedObjects(parameterText: string): string[] {
  return [...parameterText.matchAll(/https:\/\/([a-z0-9.-]+)\/([^?"\\]+)/g)].map(([, host = '', path = '']) => {
    const bucket = BUCKET_HOST.exec(host)?.[1] ?? host;
    return `${bucket}/${percentDecode(path) ?? path}`;
  });
}
