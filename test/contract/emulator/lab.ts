/** An emulator in the test's process, and the vendors' SDKs each in a process of its own, as their users have them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ProxyAgent, request } from 'undici';
import type { CallEntry } from '../../../src/emulator/call-log.ts';
import { EmulatorControl } from '../../../src/emulator/control.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../../src/emulator/index.ts';
import {
  type SampleOptions,
  sampleDeviceData,
  sampleImage,
  sampleLiveData,
  sampleVideo,
} from '../../../src/emulator/samples.ts';
import type { Credentials } from '../../../src/emulator/settings.ts';

export const REGION = 'ap-singapore';
export const BUCKET = 'bestframe-dev-1250000000';
export const DETECT = 'DetectReflectLivenessAndCompare';
export const VIDEO = 'VideoLivenessCompare';
export const SEQUENCE = 'GenerateReflectSequence';

/** Temporary credentials that the emulator knows besides its default ones. */
export const TEMPORARY: Credentials = {
  secretId: 'AKIDtemporary',
  secretKey: 'temporary-secret-key',
  token: 'session+token/with=signs',
};
export const EXPIRED: Credentials = { ...TEMPORARY, secretId: 'AKIDexpired', expiresAt: 1 };

interface VendorError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly requestId?: string;
  readonly httpCode?: number;
  readonly statusCode?: number;
}

/** What an SDK made of an answer. */
interface Outcome {
  readonly ok?: Readonly<Record<string, unknown>>;
  readonly error?: VendorError;
}

export interface FaceIdCall {
  readonly region?: string;
  readonly credential?: Credentials;
  readonly endpoint?: string;
  readonly version?: string;
  readonly language?: string;
  readonly signMethod?: string;
  readonly httpProfile?: object;
}

interface CosCall {
  readonly credential?: Credentials;
  readonly options?: object;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface Lab {
  readonly emulator: Emulator;
  readonly control: EmulatorControl;
  /** `tencentcloud-sdk-nodejs`. */
  faceId(action: string, parameters: object, how?: FaceIdCall): Promise<Outcome>;
  /** `tencentcloud-sdk-nodejs-intl-en`. */
  intl(action: string, parameters: object, how?: FaceIdCall): Promise<Outcome>;
  /** `cos-nodejs-sdk-v5`. */
  cos(method: string, parameters: object, how?: CosCall): Promise<Outcome>;
  /** A plain HTTP client, for links. Rejects where the connection breaks. */
  http(
    method: string,
    url: string,
    more?: { headers?: Record<string, string>; body?: Buffer | Readable },
  ): Promise<Reply>;
  /** A signed link of the COS SDK. */
  link(key: string, more?: object, how?: CosCall): Promise<string>;
  /** Puts a package (or video) and a photo into the own bucket and gives the parameters that name them. */
  inputs(sample: SampleOptions, more?: { photo?: Buffer; package?: Buffer }): Promise<Inputs>;
  videoInputs(sample: SampleOptions, more?: { package?: Buffer }): Promise<Record<string, string>>;
  deviceInputs(sample: SampleOptions, more?: { package?: Buffer }): Promise<DeviceInputs>;
  /** What the log's file says now. */
  logged(): Promise<CallEntry[]>;
  close(): Promise<void>;
}

interface Inputs extends Record<string, string> {
  readonly LiveDataUrl: string;
  readonly LiveDataMd5: string;
  readonly ImageUrl: string;
  readonly ImageMd5: string;
}

interface DeviceInputs extends Record<string, string> {
  readonly DeviceDataUrl: string;
  readonly DeviceDataMd5: string;
}

const HOME = join(import.meta.dirname, '..', '..', '..', '.bestframe');

export async function openLab(options: Partial<EmulatorOptions> = {}): Promise<Lab> {
  const dir = join(HOME, `lab-${process.pid}-${randomBytes(4).toString('hex')}`);
  const emulator = await startEmulator({
    dir,
    credentials: [{ secretId: 'AKIDlab', secretKey: 'lab-secret-key' }, TEMPORARY, EXPIRED],
    settings: { qps: {}, latencyMs: {} },
    ...options,
  });
  const control = new EmulatorControl(emulator.controlUrl);
  const { proxyUrl, caFile } = emulator;
  const own = { secretId: emulator.credentials.secretId, secretKey: emulator.credentials.secretKey };
  const proxy = new ProxyAgent({ uri: proxyUrl, requestTls: { ca: await readFile(caFile) } });
  const clients = new Map<string, Client>();

  function client(name: string): Client {
    const known = clients.get(name) ?? startClient(name, proxyUrl, caFile);
    clients.set(name, known);
    return known;
  }

  async function stored(bytes: Buffer): Promise<{ link: string; md5: string }> {
    const key = `inputs/${randomBytes(8).toString('hex')}`;
    const { md5 } = await control.putObject(BUCKET, key, bytes);
    return { link: await lab.link(key), md5 };
  }

  const lab: Lab = {
    emulator,
    control,
    faceId: (action, parameters, how = {}) =>
      client('tencentcloud')({
        endpoint: 'faceid.intl.tencentcloudapi.com',
        version: '2018-03-01',
        region: REGION,
        credential: own,
        ...how,
        action,
        parameters,
      }),
    intl: (action, parameters, how = {}) =>
      client('tencentcloud-intl')({ region: REGION, credential: own, ...how, action, parameters }),
    cos: (method, parameters, how = {}) =>
      client('cos')({ credential: own, ...how, method, parameters: { Bucket: BUCKET, Region: REGION, ...parameters } }),
    async http(method, url, { headers = {}, body } = {}) {
      const sent = { method: method as 'GET', headers, ...(body === undefined ? {} : { body }) };
      const { statusCode, headers: given, body: content } = await request(url, { ...sent, dispatcher: proxy });
      return { status: statusCode, headers: given, body: Buffer.from(await content.arrayBuffer()) };
    },
    async link(key, more = {}, how = {}) {
      const { ok } = await lab.cos('getObjectUrl', { Key: key, Sign: true, Expires: 600, ...more }, how);
      return String(ok?.Url);
    },
    async inputs(sample, more = {}) {
      const live = await stored(more.package ?? sampleLiveData(sample));
      const image = await stored(more.photo ?? sampleImage());
      return { LiveDataUrl: live.link, LiveDataMd5: live.md5, ImageUrl: image.link, ImageMd5: image.md5 };
    },
    async videoInputs(sample, more = {}) {
      const video = await stored(more.package ?? sampleVideo(sample));
      const { ImageUrl, ImageMd5 } = await lab.inputs(sample);
      return { VideoUrl: video.link, VideoMd5: video.md5, ImageUrl, ImageMd5, LivenessType: 'SILENT' };
    },
    async deviceInputs(sample, more = {}) {
      const data = await stored(more.package ?? sampleDeviceData(sample));
      return { DeviceDataUrl: data.link, DeviceDataMd5: data.md5 };
    },
    async logged() {
      const lines = (await readFile(emulator.logFile, 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as CallEntry);
    },
    async close() {
      await Promise.all([...clients.values()].map((each) => each.end()));
      await proxy.destroy();
      await emulator.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return lab;
}

type Client = ((job: object) => Promise<Outcome>) & { end(): Promise<void> };

function startClient(name: string, proxyUrl: string, caFile: string): Client {
  const script = join(import.meta.dirname, 'clients', `${name}.mjs`);
  const child: ChildProcess = spawn(process.execPath, [script, proxyUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: caFile, http_proxy: proxyUrl },
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const waiting = new Map<number, { resolve(outcome: Outcome): void; reject(error: Error): void }>();
  const closed = once(child, 'close').then(() => {
    for (const { reject } of waiting.values()) reject(new Error(`the client ${name} has ended`));
  });
  createInterface({ input: stdout }).on('line', (line) => {
    // Some SDKs print words of their own.
    if (!line.startsWith('{"id":')) return;
    const { id, ...outcome } = JSON.parse(line) as Outcome & { id: number };
    waiting.get(id)?.resolve(outcome);
    waiting.delete(id);
  });
  let last = 0;
  const ask = (job: object) => {
    last += 1;
    const id = last;
    return new Promise<Outcome>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      stdin.write(`${JSON.stringify({ id, ...job })}\n`);
    });
  };
  const end = () => {
    stdin.end();
    return closed;
  };
  return Object.assign(ask, { end });
}

export function md5Of(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Bytes on their way to a client process. */
export function bytes(content: Buffer | string): { base64: string } {
  return { base64: Buffer.from(content).toString('base64') };
}
