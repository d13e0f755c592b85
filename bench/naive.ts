/**
 * The baseline for throughput: what one writes first. One BullMQ queue for each stage, each with a worker that has BullMQ's defaults, so
 * it runs one job at a time. Both SDKs have their defaults, too, and a proxy.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import COS from 'cos-nodejs-sdk-v5';
import { CommonClient } from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { fetch, ProxyAgent } from 'undici';
import type { InputFiles } from './vendor-world.ts';

const ENDPOINT = 'faceid.intl.tencentcloudapi.com';
const ACTION = 'DetectReflectLivenessAndCompare';
const {
  REDIS_URL: url = '',
  PREFIX: prefix = '',
  PROXY: proxy = '',
  BUCKET: bucket = '',
  FRAMES: frames = '',
} = process.env;
const { SECRET_ID: secretId = '', SECRET_KEY: secretKey = '' } = process.env;
const region = 'ap-singapore';

const cos = new COS({ SecretId: secretId, SecretKey: secretKey, Proxy: proxy });
const credential = { secretId, secretKey };
const faceId = new CommonClient(ENDPOINT, '2018-03-01', { credential, region, profile: { httpProfile: { proxy } } });
const dispatcher = new ProxyAgent({ uri: proxy });

interface Links {
  readonly live: string;
  readonly photo: string;
}

const options = { connection: { url }, prefix };
const [uploads, hashes, calls, downloads] = ['upload', 'md5', 'detect', 'download'].map(
  (name) => new Queue(name, options),
) as [Queue, Queue, Queue, Queue];

let left = 0;
let finish: () => void = () => undefined;

async function put(path: string): Promise<string> {
  const object = { Bucket: bucket, Region: region, Key: `naive/${path.split('/').at(-1)}` };
  await cos.putObject({ ...object, Body: await readFile(path) });
  return cos.getObjectUrl({ ...object, Sign: true, Protocol: 'https:' }, () => undefined);
}

async function md5(path: string): Promise<string> {
  return createHash('md5')
    .update(await readFile(path))
    .digest('hex');
}

const workers = [
  new Worker<InputFiles>(
    'upload',
    async ({ data }) => {
      const [live, photo] = [await put(data.liveData), await put(data.image)];
      await hashes.add('md5', { ...data, live, photo });
    },
    options,
  ),
  new Worker<InputFiles & Links>(
    'md5',
    async ({ data }) => {
      await calls.add('detect', { ...data, liveMd5: await md5(data.liveData), photoMd5: await md5(data.image) });
    },
    options,
  ),
  new Worker<Links & { readonly liveMd5: string; readonly photoMd5: string }>(
    'detect',
    async ({ data }) => {
      const reply: { readonly BestFrameUrl: string } = await faceId.request(ACTION, {
        ...{ LiveDataUrl: data.live, LiveDataMd5: data.liveMd5 },
        ...{ ImageUrl: data.photo, ImageMd5: data.photoMd5 },
      });
      await downloads.add('download', { frame: reply.BestFrameUrl });
    },
    options,
  ),
  new Worker<{ readonly frame: string }>(
    'download',
    async ({ data, id }) => {
      const frame = await fetch(data.frame, { dispatcher });
      if (!frame.ok) throw new Error(`the frame was refused with ${frame.status}`);
      await writeFile(join(frames, `naive-${id}.jpg`), Buffer.from(await frame.arrayBuffer()));
      left -= 1;
      if (left === 0) finish();
    },
    options,
  ),
];
for (const worker of workers) {
  worker.on('failed', (_job, error) => {
    throw error; // a benchmark of failures says nothing
  });
  await worker.waitUntilReady();
}

process.on('message', async (files: readonly InputFiles[]) => {
  left = files.length;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await uploads.addBulk(files.map((data) => ({ name: 'upload', data })));
  await finished;
  process.send?.('done');
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
