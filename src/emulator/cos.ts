/**
 * The part of COS that verifications need, on the default domains and with COS's own signatures, headers and XML errors: objects
 * and their versions, multipart uploads, buckets and some of their settings. `cos-operations.ts` lists the operations.
 *
 * Buckets are private by default.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { aclOf } from './bucket-settings.ts';
import { answerError, finishAnswer } from './cos-answers.ts';
import {
  createBucket,
  deleteBucket,
  deleteLifecycle,
  getLocation,
  getService,
  getSetting,
  headBucket,
  listObjects,
  listUploads,
  listVersions,
  putSetting,
} from './cos-buckets.ts';
import {
  type BucketCall,
  type CosStores,
  checkKey,
  findBucket,
  type ObjectCall,
  type Operation,
} from './cos-context.ts';
import { type CosError, CosFailure, noSuchBucket } from './cos-error.ts';
import { getObjectLock, getRetention, putObjectLock, putRetention } from './cos-locks.ts';
import { copyObject, deleteObject, deleteObjects, putObject, readObject } from './cos-objects.ts';
import { type CosQuestion, hasSubResource, type OperationKey, operationName, readOperation } from './cos-operations.ts';
import {
  type CosTarget,
  describeTarget,
  type RefusedTarget,
  rawPathOf,
  readTarget,
  readVersionId,
  resourceOf,
} from './cos-request.ts';
import { checkCosSignature, percentDecode, type SignableRequest } from './cos-signature.ts';
import { abortUpload, beginUpload, completeUpload, copyPart, listParts, uploadPart } from './cos-uploads.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { StoredObject } from './object-store.ts';
import type { Credentials } from './settings.ts';
import type { Arrival } from './stall-detector.ts';

export interface CosOptions extends CosStores {
  readonly credentials: readonly Credentials[];
}

const BUCKET_OPERATIONS: Readonly<Partial<Record<OperationKey, Operation<BucketCall>>>> = {
  'GET bucket': listObjects,
  'GET bucket versions': listVersions,
  'GET bucket uploads': listUploads,
  'GET bucket location': getLocation,
  'HEAD bucket': headBucket,
  'DELETE bucket': deleteBucket,
  'POST bucket delete': deleteObjects,
  'GET bucket acl': getSetting('acl'),
  'PUT bucket acl': putSetting('acl'),
  'GET bucket versioning': getSetting('versioning'),
  'PUT bucket versioning': putSetting('versioning'),
  'GET bucket lifecycle': getSetting('lifecycle'),
  'PUT bucket lifecycle': putSetting('lifecycle'),
  'DELETE bucket lifecycle': deleteLifecycle,
  'GET bucket object-lock': getObjectLock,
  'PUT bucket object-lock': putObjectLock,
};

const OBJECT_OPERATIONS: Readonly<Partial<Record<OperationKey, Operation<ObjectCall>>>> = {
  'GET object': readObject,
  'HEAD object': readObject,
  'PUT object': putObject,
  'PUT object copy': copyObject,
  'DELETE object': deleteObject,
  'GET object retention': getRetention,
  'PUT object retention': putRetention,
  'POST object uploads': beginUpload,
  'PUT object partNumber&uploadId': uploadPart,
  'PUT object partNumber&uploadId copy': copyPart,
  'GET object uploadId': listParts,
  'POST object uploadId': completeUpload,
  'DELETE object uploadId': abortUpload,
};

type AddressedTarget = Exclude<CosTarget, RefusedTarget>;

export class Cos {
  readonly #options: CosOptions;

  constructor(options: CosOptions) {
    this.#options = options;
  }

  exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Exchange {
    const rawPath = rawPathOf(request.url ?? '/');
    const target = readTarget(url.hostname, rawPath);
    const { method, headers } = request;
    const question = { method, target, query: url.searchParams, headers };
    const region = 'region' in target ? target.region : undefined;
    const objects = describeTarget(target);
    return {
      request,
      response,
      call: {
        service: 'cos',
        action: operationName(question),
        ...(region === undefined ? {} : { region }),
        ...(objects.length === 0 ? {} : { objects }),
      },
      arrival,
      perform: async () => finishAnswer(await this.#answer(request, rawPath, question)),
      refuse: (fault) => {
        const status = (fault.kind === 'error' ? fault.status : undefined) ?? 503;
        const error = { status, code: fault.code, message: fault.code };
        return finishAnswer(answerError(method, resourceOf(target), error));
      },
    };
  }

  /** Reads a link like FaceID's downloader: a plain GET from the public network. @returns null if it is refused. */
  readByLink(link: string): StoredObject | null {
    const url = URL.canParse(link) ? new URL(link) : null;
    if (url === null) return null;
    const path = rawPathOf(link);
    const target = readTarget(url.hostname, path);
    if (target.kind !== 'object' || findBucket(this.#options, target.bucket, target.region) === undefined) return null;
    const query = url.searchParams;
    const request = { method: 'GET', path: percentDecode(path) ?? '', query, headers: { host: url.host } };
    if (this.#checkAccess(request, target) !== null) return null;
    return this.#options.objects.get(target.bucket, target.key, readVersionId(query)) ?? null;
  }

  async #answer(request: IncomingMessage, rawPath: string, question: CosQuestion): Promise<Answer> {
    const { target, query } = question;
    try {
      if (target.kind === 'malformed' || target.kind === 'accelerated') throw new CosFailure(refusalOf(target));
      const path = percentDecode(rawPath) ?? '';
      const signable = { method: request.method ?? 'GET', path, query, headers: request.headers };
      const error = this.#checkAccess(signable, target);
      if (error !== null) throw new CosFailure(error);
      return await this.#perform(request, target, question);
    } catch (error) {
      request.resume();
      if (error instanceof CosFailure) return answerError(request.method, resourceOf(target), error.cosError);
      throw error;
    }
  }

  async #perform(request: IncomingMessage, target: AddressedTarget, question: CosQuestion): Promise<Answer> {
    const operation = readOperation(question);
    const { query } = question;
    const stores = this.#options;
    if (target.kind === 'service') {
      request.resume();
      return getService(query, target.region, stores);
    }
    if (operation === 'PUT bucket' && target.kind === 'bucket') return createBucket(request, target, stores);
    const bucket = findBucket(stores, target.bucket, target.region);
    if (bucket === undefined) throw new CosFailure(noSuchBucket());
    const call = { request, query, bucket, stores };
    if (target.kind === 'object') {
      checkKey(target.key);
      return await run(OBJECT_OPERATIONS[operation], { ...call, key: target.key });
    }
    return await run(BUCKET_OPERATIONS[operation], call);
  }

  /** Checks the signature. Objects of a public bucket may be accessed without a signature, as far as the bucket's ACL allows. */
  #checkAccess(request: SignableRequest, target: AddressedTarget): CosError | null {
    const { credentials, now } = this.#options;
    if (target.kind === 'object' && isUnsigned(request) && !hasSubResource(request.query)) {
      const bucket = findBucket(this.#options, target.bucket, target.region);
      const acl = bucket === undefined ? 'private' : aclOf(bucket);
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      if (isRead ? acl !== 'private' : acl === 'public-read-write') return null;
    }
    return checkCosSignature(request, credentials, now());
  }
}

function run<Call>(operation: Operation<Call> | undefined, call: Call): Promise<Answer> | Answer {
  if (operation === undefined) throw new Error('an operation of COS is listed but not carried out');
  return operation(call);
}

function refusalOf({ kind }: RefusedTarget): CosError {
  if (kind === 'accelerated')
    return { status: 400, code: 'BucketAccelerateNotEnabled', message: 'Acceleration is not enabled for this bucket.' };
  return {
    status: 400,
    code: 'InvalidURI',
    message: 'The path is not valid percent-encoding, or the host has no such path.',
  };
}

function isUnsigned({ headers, query }: SignableRequest): boolean {
  return headers.authorization === undefined && !query.has('q-sign-algorithm');
}
