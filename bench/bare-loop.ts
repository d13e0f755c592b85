/**
 * The baseline for the whole pipeline: a loop over the same adapters. For each pair of files it uploads both with their MD5s, signs two
 * links, makes the call and stores the frame. It keeps no record, and waits for no rate.
 *
 * With `durable`, it is the floor of a durable pipeline: it also reads both links before the call, and writes one hash field to Redis at each
 * of the five moments at which the pipeline runs a script, always before it goes on. It has no queue, and its writes are not fenced.
 */
import { pathToFileURL } from 'node:url';
import { Redis } from 'ioredis';
import type { readConfig } from '../src/app/config.ts';
import type { openEdges } from '../src/app/edges.ts';
import { resourcesOf } from '../src/domain/verification/actions.ts';
import type { InputFiles } from './vendor-world.ts';

export interface LoopRequest {
  readonly files: readonly InputFiles[];
  readonly concurrency: number;
  readonly durable: boolean;
}

const ACTION = 'DetectReflectLivenessAndCompare';
const REGION = 'ap-singapore';
const LINK_MS = 60_000;
const { DIST = '', BESTFRAME_REDIS_URL: redisUrl = '' } = process.env;
const load = async <T>(path: string) => (await import(pathToFileURL(`${DIST}/src/app/${path}.js`).href)) as T;
const config = (await load<{ readConfig: typeof readConfig }>('config')).readConfig(process.env);
const { edges } = (await load<{ openEdges: typeof openEdges }>('edges')).openEdges(config);
const bucket = edges.bucket(REGION);
const rules = resourcesOf(ACTION);
const redis = new Redis(redisUrl);
let count = 0;

async function upload(id: string, name: 'liveData' | 'image', path: string, signal: AbortSignal) {
  const rule = rules.find(([each]) => each === name)?.[1];
  if (rule === undefined) throw new Error(`${ACTION} takes no ${name}`);
  const source = await edges.sources.open({ from: 'file', path }, rule, name, signal);
  try {
    const { sizeBytes, md5 } = source;
    const place = { bucket: bucket.name, region: REGION, key: `loop/${id}/${name}` };
    const head = { sizeBytes, md5, contentType: rule.contentType, owner: id };
    await edges.links.put(await bucket.signPut(place.key, LINK_MS), () => source.stream(), head, signal);
    return { place, md5 };
  } finally {
    await source.close();
  }
}

async function verify({ liveData, image }: InputFiles, durable: boolean): Promise<void> {
  count += 1;
  const id = `loop${process.pid}x${count}`;
  const record = (step: string, facts: object = {}) => durable && redis.hset(id, step, JSON.stringify(facts));
  const { signal } = new AbortController();
  await record('begun');
  edges.faceId.prepareCall(signal);
  const [live, photo] = await Promise.all([
    upload(id, 'liveData', liveData, signal),
    upload(id, 'image', image, signal),
  ]);
  await record('uploaded', { live, photo });
  const links = {
    liveData: { link: await bucket.signGet(live.place, LINK_MS), md5: live.md5 },
    image: { link: await bucket.signGet(photo.place, LINK_MS), md5: photo.md5 },
  };
  if (durable) await Promise.all(Object.values(links).map(({ link }) => edges.links.probe(link, signal)));
  await record('intent');
  const turn = async () => ({ input: { links }, signal, missed: () => false });
  const answer = await edges.faceId.detect(ACTION, REGION, turn, signal);
  const { bestFrame, similarity, result, requestId } = answer;
  if (bestFrame === null) throw new Error(`the emulator answered ${result}`);
  const decided = { decision: 'match', similarity, result, requestId, decidedAt: Date.now() } as const;
  await record('outcome', decided);
  await edges.sink.store(
    {
      ...{ id, tenant: null, target: { to: 'file' }, md5: bestFrame.md5 },
      frame: await edges.links.get(bestFrame.url, signal),
      receipt: { id, ...decided, proof: 'none', owner: 'none', paid: true },
    },
    signal,
  );
  await record('end');
}

async function run({ files, concurrency, durable }: LoopRequest): Promise<void> {
  const waiting = files.values();
  const slot = async () => {
    for (const each of waiting) await verify(each, durable);
  };
  await Promise.all(Array.from({ length: concurrency }, slot));
}

process.on('message', async (request: LoopRequest) => {
  await run(request);
  process.send?.('done');
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
