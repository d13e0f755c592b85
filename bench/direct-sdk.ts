/**
 * The baseline for one verification: a simple program that uses only the vendors' SDKs. The program puts both objects into the
 * bucket with their MD5s, signs two links, makes the call and downloads the frame. It keeps no record, does not retry, and limits
 * neither time nor rate.
 *
 * With SAME_REQUESTS=1 it makes the requests that Bestframe makes: it reads a byte of both links before the call, and makes the call
 * on a fresh connection.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import COS from 'cos-nodejs-sdk-v5';
import { HttpsProxyAgent } from 'hpagent';
import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { fetch, ProxyAgent } from 'undici';

export interface Inputs {
  readonly name: string;
  readonly liveData: string;
  readonly image: string;
}

/** The times from the start to Tencent's answer, and to the last byte of the frame. */
export interface Timing {
  readonly answerMs: number;
  readonly frameMs: number;
}

interface Reply {
  readonly Result: string;
  readonly BestFrameUrl: string;
}

const ENDPOINT = 'faceid.intl.tencentcloudapi.com';
const region = 'ap-singapore';
const setting = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
};
const proxy = setting('PROXY');
const credentials = { secretId: setting('SECRET_ID'), secretKey: setting('SECRET_KEY') };
const bucket = setting('BUCKET');

const makesSameRequests = process.env.SAME_REQUESTS === '1';

// Both SDKs are configured as their documentation shows, with keep-alive connections.
const agent = new HttpsProxyAgent({ proxy, keepAlive: !makesSameRequests });
const faceId = new CommonClient(ENDPOINT, '2018-03-01', {
  credential: credentials,
  region,
  profile: { language: 'en-US', httpProfile: { agent } },
});
const cos = new COS({
  SecretId: credentials.secretId,
  SecretKey: credentials.secretKey,
  Proxy: proxy,
  KeepAlive: true,
});
const frames = new ProxyAgent({ uri: proxy });

async function put(key: string, path: string): Promise<{ link: string; md5: string }> {
  const body = await readFile(path);
  const md5 = createHash('md5').update(body).digest();
  const object = { Bucket: bucket, Region: region, Key: key };
  await cos.putObject({ ...object, Body: body, Headers: { 'Content-MD5': md5.toString('base64') } });
  const link = cos.getObjectUrl({ ...object, Sign: true, Protocol: 'https:' }, () => undefined);
  return { link, md5: md5.toString('hex') };
}

async function readByte(link: string): Promise<void> {
  const response = await fetch(link, { dispatcher: frames, headers: { range: 'bytes=0-0' } });
  if (response.status !== 206) throw new Error(`a link was refused with ${response.status}`);
  await response.arrayBuffer();
}

async function verify({ name, liveData, image }: Inputs): Promise<Timing> {
  const start = performance.now();
  const [live, photo] = await Promise.all([
    put(`direct-sdk/${name}-live`, liveData),
    put(`direct-sdk/${name}-photo`, image),
  ]);
  if (makesSameRequests) await Promise.all([readByte(live.link), readByte(photo.link)]);
  const reply: Reply = await faceId.request('DetectReflectLivenessAndCompare', {
    LiveDataUrl: live.link,
    LiveDataMd5: live.md5,
    ImageUrl: photo.link,
    ImageMd5: photo.md5,
  });
  if (reply.Result !== 'Success') throw new Error(`the emulator answered ${reply.Result}`);
  const answerMs = performance.now() - start;
  const frame = await fetch(reply.BestFrameUrl, { dispatcher: frames });
  if (!frame.ok) throw new Error(`the frame was refused with ${frame.status}`);
  await frame.arrayBuffer();
  return { answerMs, frameMs: performance.now() - start };
}

process.on('message', async (inputs: Inputs) => process.send?.(await verify(inputs)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
