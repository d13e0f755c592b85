/**
 * Tencent on one machine: FaceID and COS behind a forward proxy of our own CA, with a control port. Shares no code with the
 * rest of `src`: an emulator that shares code with its client repeats its mistakes.
 */

import { setMaxListeners } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { createAuthority } from './ca.ts';
import { CallLog } from './call-log.ts';
import { startControl } from './control-server.ts';
import { COS_HOST, Cos } from './cos.ts';
import { type Exchange, serve } from './exchange.ts';
import { FACEID_HOST, FaceId } from './faceid.ts';
import { Faults } from './faults.ts';
import { Objects } from './objects.ts';
import { Origins } from './origins.ts';
import { startProxy } from './proxy.ts';
import {
  APP_ID,
  type Bucket,
  type Credentials,
  DEFAULT_BUCKETS,
  DEFAULT_CREDENTIALS,
  DEFAULTS,
  FACEID_REGIONS,
  frameBucket,
  resourceBucket,
  type Settings,
  VENDOR_CREDENTIALS,
} from './settings.ts';
import { Stops } from './stops.ts';

export interface EmulatorOptions {
  /** CA, objects and call log lie in here. */
  readonly dir: string;
  readonly host?: string;
  /** 0 takes a free one. */
  readonly proxyPort?: number;
  readonly controlPort?: number;
  readonly credentials?: readonly Credentials[];
  readonly buckets?: readonly Bucket[];
  readonly settings?: Partial<Settings>;
  readonly onFault?: (error: unknown) => void;
}

export interface Emulator {
  readonly proxyUrl: string;
  readonly controlUrl: string;
  readonly caFile: string;
  readonly logFile: string;
  readonly credentials: Credentials & { readonly appId: string };
  readonly buckets: readonly Bucket[];
  /** Ends what waits, drops what is connected. Again is the same as once. */
  close(): Promise<void>;
}

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { dir, host = '127.0.0.1' } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const settings: Settings = structuredClone({ ...DEFAULTS, ...options.settings });
  const own = options.credentials ?? [DEFAULT_CREDENTIALS];
  const credentials = [...own, VENDOR_CREDENTIALS];
  const ownBuckets = options.buckets ?? DEFAULT_BUCKETS;
  const vendors = FACEID_REGIONS.flatMap((region) => [
    { name: resourceBucket(region), region },
    { name: frameBucket(region), region },
  ]);
  // Copies: what COS's calls change is this emulator's alone.
  const buckets: Bucket[] = [...ownBuckets, ...vendors].map((bucket) => ({ ...bucket }));
  const now = () => Date.now() + settings.clockSkewMs;

  const versioningOf = (bucket: string) => buckets.find(({ name }) => name === bucket)?.versioning;
  const objects = new Objects(join(dir, 'objects'), versioningOf);
  await objects.open();
  const log = await CallLog.open(join(dir, 'calls.jsonl'));
  const faults = new Faults();
  const origins = new Origins();
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // one for each call that waits
  const cos = new Cos({ objects, buckets, credentials, now });
  const faceId = new FaceId({ objects, cos, credentials: own, settings, now, closing: closing.signal });
  const authority = await createAuthority();
  const caFile = join(dir, 'ca.pem');
  await writeFile(caFile, authority.pem);

  const stops = new Stops();

  async function exchangeOf(request: IncomingMessage, response: ServerResponse, url: URL): Promise<Exchange> {
    const arrival = stops.arrival();
    if (FACEID_HOST.test(url.hostname)) return faceId.exchange(request, response, url, arrival);
    if (COS_HOST.test(url.hostname)) return cos.exchange(request, response, url, arrival);
    return origins.exchange(request, response, url, arrival);
  }

  const proxy = await startProxy({
    host,
    port: options.proxyPort ?? 0,
    authority,
    now,
    knows: (name) => FACEID_HOST.test(name) || COS_HOST.test(name) || origins.knows(name),
    serve: async (request, response, url) =>
      serve(await exchangeOf(request, response, url), { log, faults, closing: closing.signal }),
    onFault: options.onFault ?? (() => undefined),
  });
  const reset = () => {
    faults.clear();
    origins.clear();
    faceId.reset();
    log.clear();
    Object.assign(settings, structuredClone({ ...DEFAULTS, ...options.settings }));
  };
  const control = await startControl({
    host,
    port: options.controlPort ?? 0,
    log,
    faults,
    objects,
    buckets,
    origins,
    settings,
    reset,
  });
  async function close(): Promise<void> {
    closing.abort();
    stops.close();
    faults.clear();
    await control.close();
    await proxy.close();
    await log.close();
  }
  let closed: Promise<void> | undefined;
  const [first = DEFAULT_CREDENTIALS] = own;
  return {
    proxyUrl: proxy.url,
    controlUrl: control.url,
    caFile,
    logFile: log.file,
    credentials: { ...first, appId: APP_ID },
    buckets: ownBuckets,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}
