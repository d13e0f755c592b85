/**
 * Tencent in memory: FaceID, and the objects in COS. It shares the emulator's rules (cards, bills, rate limit, answers), and keeps
 * its own ledger of calls, which the oracle compares with the product's.
 */
import { createHash } from 'node:crypto';
import { Failure } from '../../src/domain/errors/failure.ts';
import { ApiFailure } from '../../src/emulator/api-failure.ts';
import { isBilled } from '../../src/emulator/billing.ts';
import { readCard, resolveOutcome } from '../../src/emulator/cards.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import type { Answer } from '../../src/emulator/exchange.ts';
import { answerApiError, answerFields, answerResult } from '../../src/emulator/faceid-answers.ts';
import { RateLimiter } from '../../src/emulator/rate-limiter.ts';
import type { Random } from '../chaos/random.ts';
import type { VirtualTime } from './virtual-time.ts';

export const REGION = 'ap-singapore';
export const OWN_BUCKET = 'faces-1250000000';
const VENDOR_BUCKET = 'faceid-resource-1251000000';
const RESULT_BUCKET = 'faceid-result-1251000000';
/** Life of the links that the vendor issues. */
const LINK_MS = 2 * 3_600_000;
/** Tencent deletes its own objects about every two hours. */
const OBJECT_MS = 2 * 3_600_000;

export interface StoredObject {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: Buffer;
  readonly sizeBytes: number;
  readonly md5: string;
  readonly at: number;
}

export interface DetectRequest {
  readonly action: string;
  readonly live: { readonly link: string; readonly md5: string };
  readonly image: { readonly link: string; readonly md5: string };
}

/** What is wrong with Tencent now. */
export interface Troubles {
  /** FaceID answers every call with this code. */
  faceId: string | null;
  /** FaceID takes calls, performs them, and does not answer. */
  faceIdSilent: boolean;
  accountError: string | null;
  cosPut: boolean;
  cosGet: boolean;
}

export class Vendor {
  readonly calls: CallEntry[] = [];
  readonly objects = new Map<string, StoredObject>();
  readonly troubles: Troubles = {
    ...{ faceId: null, faceIdSilent: false, accountError: null, cosPut: false, cosGet: false },
  };
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #qps: Readonly<Record<string, number>>;
  readonly #limiter = new RateLimiter();
  #ids = 0;

  constructor(time: VirtualTime, random: Random, qps: Readonly<Record<string, number>>) {
    this.#time = time;
    this.#random = random;
    this.#qps = qps;
  }

  // ── FaceID ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async createUploadUrl(action: string): Promise<Answer> {
    return this.#perform('CreateUploadUrl', async (requestId) => {
      const key = `faceid/${action}/${this.#newId()}`;
      const until = this.#time.now + LINK_MS;
      const link = (method: string) => linkTo({ bucket: VENDOR_BUCKET, key }, method, until);
      const fields = {
        UploadUrl: link('PUT'),
        ResourceUrl: link('GET'),
        ExpiredTimestamp: Math.floor(until / 1_000),
      };
      return answerFields(fields, requestId, { code: 'Success', billed: false });
    });
  }

  async detect({ action, live, image }: DetectRequest): Promise<Answer> {
    return this.#perform(action, async (requestId) => {
      const inputs = [live, image].map(({ link, md5 }) => ({ object: this.#read(link), md5 }));
      const objects = inputs.flatMap(({ object }) => (object === null ? [] : [`${object.bucket}/${object.key}`]));
      const carrier = inputs[0]?.object;
      if (carrier == null || inputs[1]?.object == null)
        throw new ApiFailure('FailedOperation.DownLoadError', 'File download failed.', objects);
      if (inputs.some(({ object, md5 }) => object?.md5 !== md5))
        throw new ApiFailure('InvalidParameterValue', 'MD5 Error', objects);
      const card = await readCard(carrier.bytes);
      if (card === null) throw new Error('a sample of the simulation has no readable card');
      const outcome = resolveOutcome(card);
      const isSuccess = outcome.result === 'Success';
      if (!isSuccess && card.channel === 'error') throw new ApiFailure(outcome.result, outcome.result, objects);
      const bestFrame = isSuccess ? this.#publish(Buffer.from(`best frame ${this.#newId()}`)) : null;
      return answerResult({ action, requestId, outcome, bestFrame, objects, isBilled: billOf(action) });
    });
  }

  async #perform(action: string, call: (requestId: string) => Promise<Answer>): Promise<Answer> {
    const requestId = this.#newId();
    const at = Math.floor(this.#time.now);
    const { faceId, accountError } = this.troubles;
    let answer: Answer;
    try {
      if (accountError !== null) throw new ApiFailure(accountError, accountError);
      const limit = this.#qps[action];
      if (limit !== undefined && !this.#limiter.tryAccept(action, REGION, limit, { at: this.#time.now, waitedMs: 0 }))
        throw new ApiFailure('RequestLimitExceeded', `The request rate exceeds the frequency limit ${limit}/s.`);
      if (faceId !== null) throw new ApiFailure(faceId, faceId);
      answer = await call(requestId);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      answer = answerApiError(error.apiError, requestId, billOf(action), error.objects);
    }
    const fault = faceId === null ? {} : { fault: 'error' };
    const facts = { event: 'call', service: 'faceid', action, region: REGION, status: 200 } as const;
    this.calls.push({ seq: this.calls.length + 1, at, ...facts, ...fault, ...answer.facts });
    return answer;
  }

  #publish(bytes: Buffer): { url: string; md5: string; sizeBytes: number } {
    const key = `bestframe/${this.#newId()}.jpg`;
    const { md5 } = this.put({ bucket: RESULT_BUCKET, key }, bytes);
    const url = linkTo({ bucket: RESULT_BUCKET, key }, 'GET', this.#time.now + LINK_MS);
    return { url, md5, sizeBytes: bytes.length };
  }

  // ── COS ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  put({ bucket, key }: { bucket: string; key: string }, bytes: Buffer): StoredObject {
    const md5 = createHash('md5').update(bytes).digest('hex');
    const stored = { bucket, key, bytes, sizeBytes: bytes.length, md5, at: this.#time.now };
    this.objects.set(`${bucket}/${key}`, stored);
    if (bucket !== OWN_BUCKET)
      this.#time.after(OBJECT_MS, null, () => {
        if (this.objects.get(`${bucket}/${key}`) === stored) this.#forget(stored);
      });
    return stored;
  }

  /** Tencent deletes the bytes. Name and MD5 remain, for the oracle. */
  #forget(stored: StoredObject): void {
    this.objects.set(`${stored.bucket}/${stored.key}`, {
      ...stored,
      bytes: Buffer.alloc(0),
      at: Number.NEGATIVE_INFINITY,
    });
  }

  /** @throws Failure as COS's adapter does */
  putByLink(link: string, bytes: Buffer, md5: string): void {
    const { place, method, until } = readLink(link);
    if (this.troubles.cosPut) throw cosFailure('ServiceUnavailable', 503, this.#newId());
    if (method !== 'PUT' || until < this.#time.now) throw cosFailure('AccessDenied', 403, this.#newId());
    if (createHash('md5').update(bytes).digest('hex') !== md5) throw cosFailure('BadDigest', 400, this.#newId());
    this.put(place, bytes);
  }

  /** @throws Failure as COS's adapter does */
  getByLink(link: string): StoredObject {
    if (this.troubles.cosGet) throw cosFailure('ServiceUnavailable', 503, this.#newId());
    const { until } = readLink(link);
    if (until < this.#time.now) throw cosFailure('AccessDenied', 403, this.#newId());
    const found = this.#read(link);
    if (found === null) throw cosFailure('NoSuchKey', 404, this.#newId());
    return found;
  }

  #read(link: string): StoredObject | null {
    const { place, method, until } = readLink(link);
    const found = this.objects.get(`${place.bucket}/${place.key}`);
    if (found === undefined || method !== 'GET' || until < this.#time.now) return null;
    return found.at === Number.NEGATIVE_INFINITY ? null : found;
  }

  remove(bucket: string, key: string): void {
    if (this.troubles.cosPut) throw cosFailure('ServiceUnavailable', 503, this.#newId());
    this.objects.delete(`${bucket}/${key}`);
  }

  removeAll(bucket: string, prefix: string): number {
    if (this.troubles.cosPut) throw cosFailure('ServiceUnavailable', 503, this.#newId());
    const found = [...this.objects.keys()].filter((name) => name.startsWith(`${bucket}/${prefix}`));
    for (const name of found) this.objects.delete(name);
    return found.length;
  }

  #newId(): string {
    this.#ids += 1;
    return `${this.#ids.toString(36).padStart(6, '0')}-${Math.floor(this.#random.next() * 36 ** 6).toString(36)}`;
  }
}

function billOf(action: string): (code: string) => boolean {
  return (code) => isBilled(action, code, true);
}

/** A link to one object, for one method. It has the form of COS's default domain, and its expiry takes the place of a signature. */
export function linkTo({ bucket, key }: { bucket: string; key: string }, method: string, until: number): string {
  return `https://${bucket}.cos.${REGION}.myqcloud.com/${key}?method=${method}&until=${Math.floor(until)}`;
}

const LINK = /^https:\/\/([^.]+)\.cos\.[^/]+\/([^?]+)\?method=(\w+)&until=(\d+)$/;

function readLink(link: string): { place: { bucket: string; key: string }; method: string; until: number } {
  const [, bucket = '', key = '', method = '', until = '0'] = LINK.exec(link) ?? [];
  return { place: { bucket, key }, method, until: Number(until) };
}

function cosFailure(code: string, httpStatus: number, requestId: string): Failure {
  const facts = { service: 'cos', channel: 'error', sent: 'answered' } as const;
  return new Failure({ ...facts, code, httpStatus, requestId }, `the storage answered ${code}`);
}
