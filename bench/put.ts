/**
 * Puts files into the emulator's bucket, in one of three ways, and says what it took:
 * - `bestframe`: the product's source and link adapters, as the stage upload uses them;
 * - `plain`: undici, MD5 and `readFile`;
 * - `checked`: like `plain`, but with the checks of the product: it reads and hashes each file twice, because a file could change between
 *   the MD5 and the PUT, and unpacks it, because a package could be incomplete.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ProxyAgent, request } from 'undici';
import type { readConfig } from '../src/app/config.ts';
import type { openEdges } from '../src/app/edges.ts';
import { resourcesOf } from '../src/domain/verification/actions.ts';

export interface PutRequest {
  readonly way: 'bestframe' | 'plain' | 'checked';
  readonly paths: readonly string[];
  /** How many are put at a time. */
  readonly concurrency: number;
}

/** CPU of this process, ms. */
export type PutAnswer = number;

const { DIST = '', BESTFRAME_PROXY: proxy = '' } = process.env;
const load = async <T>(path: string) => (await import(pathToFileURL(`${DIST}/src/app/${path}.js`).href)) as T;
const config = (await load<{ readConfig: typeof readConfig }>('config')).readConfig(process.env);
const { edges } = (await load<{ openEdges: typeof openEdges }>('edges')).openEdges(config);
const bucket = edges.bucket('ap-singapore');
const [rule] = resourcesOf('DetectReflectLivenessAndCompare').map(([, each]) => each);
const dispatcher = new ProxyAgent({ uri: proxy });
const { signal } = new AbortController();
const LINK_MS = 60_000;
const unpack = promisify(gunzip);
let count = 0;

const ways = {
  async bestframe(path: string, link: string) {
    if (rule === undefined) throw new Error('the action takes no file');
    const source = await edges.sources.open({ from: 'file', path }, rule, 'liveData', signal);
    const { sizeBytes, md5 } = source;
    const head = { sizeBytes, md5, contentType: rule.contentType, owner: `put${count}` };
    await edges.links.put(link, () => source.stream(), head, signal);
    await source.close();
  },
  async plain(path: string, link: string) {
    const body = await readFile(path);
    await putPlain(link, body, createHash('md5').update(body).digest());
  },
  async checked(path: string, link: string) {
    const before = await readFile(path);
    const md5 = createHash('md5').update(before).digest();
    await unpack(before);
    const body = await readFile(path);
    if (!createHash('md5').update(body).digest().equals(md5)) throw new Error('the file changed');
    await putPlain(link, body, md5);
  },
};

async function putPlain(link: string, body: Buffer, md5: Buffer): Promise<void> {
  const headers = { 'content-md5': md5.toString('base64'), 'content-type': 'application/octet-stream' };
  const answer = await request(link, { method: 'PUT', headers, body, dispatcher });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`the PUT was refused with ${answer.statusCode}`);
}

async function put({ way, paths, concurrency }: PutRequest): Promise<PutAnswer> {
  const waiting = paths.values();
  const slot = async () => {
    for (const path of waiting) {
      count += 1;
      await ways[way](path, await bucket.signPut(`put/${process.pid}-${count}`, LINK_MS));
    }
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: concurrency }, slot));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

process.on('message', async (message: PutRequest) => process.send?.(await put(message)));
process.on('disconnect', () => process.exit());
process.send?.('ready');
