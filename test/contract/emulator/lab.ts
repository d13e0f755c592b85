/** Runs an emulator in the test process, and each vendor SDK in a process of its own with an ordinary configuration. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { ProxyAgent, request } from 'undici';
import type { CallEntry } from '../../../src/emulator/call-log.ts';
import { EmulatorControl } from '../../../src/emulator/control.ts';
import type { Emulator, EmulatorOptions } from '../../../src/emulator/index.ts';
import {
  type SampleOptions,
  sampleDeviceData,
  sampleImage,
  sampleLiveData,
  sampleVideo,
} from '../../../src/emulator/samples.ts';
import type { Credentials } from '../../../src/emulator/settings.ts';
import { startTestEmulator } from '../../support/emulator.ts';
import { REMOVE } from '../../support/remove.ts';

export const REGION = 'ap-singapore';
export const BUCKET = 'bestframe-dev-1250000000';
export const DETECT = 'DetectReflectLivenessAndCompare';
export const VIDEO = 'VideoLivenessCompare';
export const SEQUENCE = 'GenerateReflectSequence';

/** Temporary credentials that the emulator accepts in addition to its permanent ones. */
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

/** The result or the error that an SDK returned. */
interface SdkOutcome {
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
  /** Calls FaceID through `tencentcloud-sdk-nodejs`. */
  faceId(action: string, parameters: object, call?: FaceIdCall): Promise<SdkOutcome>;
  /** Calls FaceID through `tencentcloud-sdk-nodejs-intl-en`. */
  intl(action: string, parameters: object, call?: FaceIdCall): Promise<SdkOutcome>;
  /** Calls COS through `cos-nodejs-sdk-v5`. */
  cos(method: string, parameters: object, call?: CosCall): Promise<SdkOutcome>;
  /** Sends a plain HTTP request, for example to a signed link. Rejects if the connection breaks. */
  http(
    method: string,
    url: string,
    options?: { headers?: Record<string, string>; body?: Buffer | Readable },
  ): Promise<Reply>;
  /**
   * Sends the headers of a request, waits until the server has read them and answers `100 Continue`, sends half of the body, and
   * drops the connection.
   */
  breakOff(method: string, url: string, body: Buffer): Promise<void>;
  /** Creates a signed link with the COS SDK. */
  link(key: string, parameters?: object, call?: CosCall): Promise<string>;
  /** Stores a liveness package and a photo in the account's bucket. @returns the parameters that refer to them. */
  inputs(sample: SampleOptions, overrides?: { photo?: Buffer; package?: Buffer }): Promise<Inputs>;
  videoInputs(sample: SampleOptions, overrides?: { photo?: Buffer; package?: Buffer }): Promise<Record<string, string>>;
  deviceInputs(sample: SampleOptions, overrides?: { package?: Buffer }): Promise<DeviceInputs>;
  /** Reads the call log from its file. */
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
  const emulator = await startTestEmulator({
    dir,
    credentials: [{ secretId: 'AKIDlab', secretKey: 'lab-secret-key' }, TEMPORARY, EXPIRED],
    settings: { qps: {}, latencyMs: {} },
    ...options,
  });
  const control = new EmulatorControl(emulator.controlUrl);
  const { proxyUrl, caFile } = emulator;
  const credential = { secretId: emulator.credentials.secretId, secretKey: emulator.credentials.secretKey };
  const proxy = new ProxyAgent({ uri: proxyUrl, requestTls: { ca: await readFile(caFile) } });
  const clients = new Map<string, Client>();

  function client(name: string): Client {
    const started = clients.get(name) ?? startClient(name, proxyUrl, caFile);
    clients.set(name, started);
    return started;
  }

  const sdks = createSdkCalls(client, credential);
  const link: Lab['link'] = async (key, parameters = {}, call = {}) => {
    const { ok } = await sdks.cos('getObjectUrl', { Key: key, Sign: true, Expires: 600, ...parameters }, call);
    return String(ok?.Url);
  };

  return {
    emulator,
    control,
    ...sdks,
    link,
    ...createInputStores(control, link),
    async http(method, url, { headers = {}, body } = {}) {
      const options = { method: method as 'GET', headers, ...(body === undefined ? {} : { body }) };
      const reply = await request(url, { ...options, dispatcher: proxy });
      const content = Buffer.from(await reply.body.arrayBuffer());
      return { status: reply.statusCode, headers: reply.headers, body: content };
    },
    async breakOff(method, url, body) {
      const { host, hostname, pathname, search } = new URL(url);
      const tunnel = connectTcp(Number(new URL(proxyUrl).port), '127.0.0.1');
      tunnel.write(`CONNECT ${hostname}:443 HTTP/1.1\r\nhost: ${hostname}:443\r\n\r\n`);
      await once(tunnel, 'data');
      const socket = connectTls({ socket: tunnel, servername: hostname, ca: await readFile(caFile) });
      const head = `${method} ${pathname}${search} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${body.length}\r\n`;
      socket.write(`${head}expect: 100-continue\r\n\r\n`);
      const [reply] = (await once(socket, 'data')) as [Buffer];
      if (!reply.toString().startsWith('HTTP/1.1 100')) throw new Error(`The server answered ${reply}`);
      socket.write(body.subarray(0, body.length / 2), () => socket.destroy());
      await once(socket, 'close');
    },
    async logged() {
      const lines = (await readFile(emulator.logFile, 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as CallEntry);
    },
    async close() {
      await Promise.all([...clients.values()].map((each) => each.end()));
      await proxy.destroy();
      await emulator.close();
      await rm(dir, REMOVE);
    },
  };
}

function createSdkCalls(
  client: (name: string) => Client,
  credential: Credentials,
): Pick<Lab, 'faceId' | 'intl' | 'cos'> {
  return {
    faceId: (action, parameters, call = {}) =>
      client('tencentcloud')({
        endpoint: 'faceid.intl.tencentcloudapi.com',
        version: '2018-03-01',
        region: REGION,
        credential,
        ...call,
        action,
        parameters,
      }),
    intl: (action, parameters, call = {}) =>
      client('tencentcloud-intl')({ region: REGION, credential, ...call, action, parameters }),
    cos: (method, parameters, call = {}) =>
      client('cos')({ credential, ...call, method, parameters: { Bucket: BUCKET, Region: REGION, ...parameters } }),
  };
}

function createInputStores(
  control: EmulatorControl,
  link: Lab['link'],
): Pick<Lab, 'inputs' | 'videoInputs' | 'deviceInputs'> {
  async function store(content: Buffer): Promise<{ url: string; md5: string }> {
    const key = `inputs/${randomBytes(8).toString('hex')}`;
    const { md5 } = await control.putObject(BUCKET, key, content);
    return { url: await link(key), md5 };
  }

  async function storeImage(content = sampleImage()): Promise<{ ImageUrl: string; ImageMd5: string }> {
    const { url, md5 } = await store(content);
    return { ImageUrl: url, ImageMd5: md5 };
  }

  return {
    async inputs(sample, overrides = {}) {
      const { url, md5 } = await store(overrides.package ?? sampleLiveData(sample));
      return { LiveDataUrl: url, LiveDataMd5: md5, ...(await storeImage(overrides.photo)) };
    },
    async videoInputs(sample, overrides = {}) {
      const { url, md5 } = await store(overrides.package ?? sampleVideo(sample));
      return { VideoUrl: url, VideoMd5: md5, ...(await storeImage(overrides.photo)), LivenessType: 'SILENT' };
    },
    async deviceInputs(sample, overrides = {}) {
      const { url, md5 } = await store(overrides.package ?? sampleDeviceData(sample));
      return { DeviceDataUrl: url, DeviceDataMd5: md5 };
    },
  };
}

type Client = ((job: object) => Promise<SdkOutcome>) & { end(): Promise<void> };

function startClient(name: string, proxyUrl: string, caFile: string): Client {
  const script = join(import.meta.dirname, 'clients', `${name}.mjs`);
  const child: ChildProcess = spawn(process.execPath, [script, proxyUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: caFile, http_proxy: proxyUrl },
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error(`the client ${name} has no pipes`);
  const pending = new Map<number, { resolve(outcome: SdkOutcome): void; reject(error: Error): void }>();
  const closed = once(child, 'close').then(() => {
    for (const { reject } of pending.values()) reject(new Error(`the client ${name} has ended`));
  });
  createInterface({ input: stdout }).on('line', (line) => {
    // Some SDKs print their own messages, which are ignored.
    if (!line.startsWith('{"id":')) return;
    const { id, ...outcome } = JSON.parse(line) as SdkOutcome & { id: number };
    pending.get(id)?.resolve(outcome);
    pending.delete(id);
  });
  let lastId = 0;
  const send = (job: object) => {
    lastId += 1;
    const id = lastId;
    return new Promise<SdkOutcome>((resolve, reject) => {
      pending.set(id, { resolve, reject });
      stdin.write(`${JSON.stringify({ id, ...job })}\n`);
    });
  };
  const end = () => {
    stdin.end();
    return closed;
  };
  return Object.assign(send, { end });
}

export function md5Of(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex');
}

/** Encodes bytes for a client process. */
export function bytes(content: Buffer | string): { base64: string } {
  return { base64: Buffer.from(content).toString('base64') };
}
