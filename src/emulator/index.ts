/**
 * Tencent on one machine: FaceID, STS and COS behind a forward proxy with its own CA, and a control port.
 *
 * What must hold: this folder shares no code with the rest of `src`. An emulator that shares code with its client repeats
 * its client's mistakes.
 */

import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { openAuthority } from './ca.ts';
import { CallLog } from './call-log.ts';
import { type ControlledParts, startControlServer } from './control-server.ts';
import { Cos } from './cos.ts';
import { readCosHost } from './cos-hosts.ts';
import { type Exchange, serve } from './exchange.ts';
import { FACEID_HOST, FaceId } from './faceid.ts';
import { ALL_REGIONS } from './faceid-actions.ts';
import { Faults } from './faults.ts';
import { type IssuedKeys, KeyRegistry } from './key-registry.ts';
import { Metadata, startMetadataServer } from './metadata.ts';
import { MultipartStore } from './multipart-store.ts';
import { ObjectStore } from './object-store.ts';
import { Origins } from './origins.ts';
import { OutputStore } from './output-store.ts';
import { startProxy } from './proxy.ts';
import { Sessions } from './sessions.ts';
import {
  APP_ID,
  type Bucket,
  type Credentials,
  DEFAULT_BUCKETS,
  DEFAULT_CREDENTIALS,
  DEFAULT_SETTINGS,
  resourceBucketName,
  resultBucketName,
  type Settings,
} from './settings.ts';
import { StallDetector } from './stall-detector.ts';
import { STS_HOST, Sts } from './sts.ts';
import { TokenFlows } from './token-flows.ts';

export interface EmulatorOptions {
  /** Folder for the CA, the objects and the call log. */
  readonly dir: string;
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 picks a free port. @default 0 */
  readonly proxyPort?: number;
  /** 0 picks a free port. @default 0 */
  readonly controlPort?: number;
  /** Port of the metadata service, on 127.0.0.1. 0 picks a free one. @default 0 */
  readonly metadataPort?: number;
  readonly credentials?: readonly Credentials[];
  readonly buckets?: readonly Bucket[];
  readonly settings?: Partial<Settings>;
  /** Receives internal errors of the emulator. */
  readonly onError?: (error: unknown) => void;
}

export interface Emulator {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  /** Stands in for `http://metadata.tencentyun.com`. */
  readonly metadataUrl: string;
  readonly caFile: string;
  readonly logFile: string;
  readonly credentials: Credentials & { readonly appId: string };
  readonly buckets: readonly Bucket[];
  /** Issues temporary keys of the account, as STS does. @param lifeMs how long they are accepted */
  issueKeys(lifeMs: number): IssuedKeys;
  /** Ends all waits and drops all connections. Idempotent. */
  close(): Promise<void>;
}

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { dir, host = '127.0.0.1', proxyPort = 0, controlPort = 0, onError = () => undefined } = options;
  const { credentials = [DEFAULT_CREDENTIALS], buckets = DEFAULT_BUCKETS } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const authority = await openAuthority(dir);
  const vendor = await openVendor(dir, { credentials, buckets, overrides: options.settings });
  const { log, faults, origins, closing } = vendor;

  const proxy = await startProxy({
    host,
    port: proxyPort,
    authority,
    now: vendor.now,
    isKnownHost: (name) =>
      FACEID_HOST.test(name) || STS_HOST.test(name) || readCosHost(name) !== null || origins.hasHost(name),
    serve: async (request, response, url) =>
      serve(await vendor.openExchange(request, response, url), { log, faults, closing: closing.signal }),
    onError,
  });
  const control = await startControlServer({ host, port: controlPort, ...vendor });
  const metadata = await startMetadataServer(options.metadataPort ?? 0, (request, response) =>
    serve(vendor.openMetadata(request, response), { log, faults, closing: closing.signal }),
  );

  async function closeAll(): Promise<void> {
    closing.abort();
    vendor.stallDetector.close();
    faults.clear();
    await control.close();
    await metadata.close();
    await proxy.close();
    await log.close();
  }
  let closed: Promise<void> | undefined;
  const [primaryCredentials = DEFAULT_CREDENTIALS] = credentials;
  return {
    proxyUrl: proxy.url,
    controlUrl: control.url,
    metadataUrl: metadata.url,
    caFile: authority.caFile,
    logFile: log.file,
    credentials: { ...primaryCredentials, appId: APP_ID },
    buckets,
    issueKeys: vendor.issueKeys,
    close: () => {
      closed ??= closeAll();
      return closed;
    },
  };
}

interface Account {
  readonly credentials: readonly Credentials[];
  readonly buckets: readonly Bucket[];
  /** Settings that replace the defaults, also after a reset. */
  readonly overrides: Partial<Settings> | undefined;
}

/** FaceID, STS, COS, origins and metadata, and what they share, without the servers that receive the calls. */
interface Vendor extends ControlledParts {
  readonly closing: AbortController;
  readonly stallDetector: StallDetector;
  /** The vendor's clock. */
  now(): number;
  openExchange(request: IncomingMessage, response: ServerResponse, url: URL): Promise<Exchange>;
  openMetadata(request: IncomingMessage, response: ServerResponse): Exchange;
  issueKeys(lifeMs: number): IssuedKeys;
}

async function openVendor(dir: string, { credentials, buckets: accountBuckets, overrides }: Account): Promise<Vendor> {
  const createSettings = (): Settings => structuredClone({ ...DEFAULT_SETTINGS, ...overrides });
  const settings = createSettings();
  const now = () => Date.now() + settings.clockSkewMs;
  const buckets = createBuckets(accountBuckets);
  const objects = new ObjectStore(
    join(dir, 'objects'),
    (bucket) => buckets.find(({ name }) => name === bucket)?.versioning,
  );
  await objects.open();
  const uploads = new MultipartStore(join(dir, 'parts'));
  await uploads.open();
  const log = await CallLog.open(join(dir, 'calls.jsonl'));
  const faults = new Faults();
  const origins = new Origins();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // every waiting call adds one
  const keys = new KeyRegistry(credentials);
  const cos = new Cos({ objects, uploads, buckets, appId: APP_ID, credentials: keys.withVendor, now });
  const outputs = new OutputStore(objects, now);
  const sessions = new Sessions({ outputs, settings, log, now });
  const tokenFlows = new TokenFlows({ sessions, outputs, settings });
  const faceIdParts = { objects, cos, outputs, tokenFlows, credentials: keys.account, settings, now };
  const faceId = new FaceId({ ...faceIdParts, closing: closing.signal });
  const sts = new Sts({ keys, settings, now });
  const metadata = new Metadata({ keys, settings, now });
  const stallDetector = new StallDetector();
  return {
    log,
    faults,
    objects,
    buckets,
    origins,
    sessions,
    settings,
    closing,
    stallDetector,
    now,
    async openExchange(request, response, url) {
      const arrival = stallDetector.recordArrival();
      if (FACEID_HOST.test(url.hostname)) return faceId.exchange(request, response, url, arrival);
      if (STS_HOST.test(url.hostname)) return sts.exchange(request, response, url, arrival);
      if (readCosHost(url.hostname) !== null) return cos.exchange(request, response, url, arrival);
      return origins.exchange(request, response, url, arrival);
    },
    issueKeys: (lifeMs) => keys.issue(now() + lifeMs, now()),
    openMetadata: (request, response) => metadata.exchange(request, response, stallDetector.recordArrival()),
    reset() {
      faults.clear();
      origins.clear();
      faceId.reset();
      sessions.clear();
      metadata.reset();
      log.clear();
      Object.assign(settings, createSettings());
    },
  };
}

/** The account's buckets and the vendor's own, copied because COS calls change them. */
function createBuckets(accountBuckets: readonly Bucket[]): Bucket[] {
  const vendorBuckets = ALL_REGIONS.flatMap((region) => [
    { name: resourceBucketName(region), region },
    { name: resultBucketName(region), region },
  ]);
  return [...accountBuckets, ...vendorBuckets].map((bucket) => ({ createdAt: Date.now(), ...bucket }));
}
