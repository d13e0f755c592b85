/** The largest resource passes through without being held: hashed, and put, in pieces. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACTIONS, type ResourceRule } from '../../../src/domain/actions.ts';
import { createSources } from '../../../src/storage/sources.ts';
import { createLinkIo } from '../../../src/transport/link-io.ts';
import { type Bench, never, openBench } from './support.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
/** With the emulator’s end of it, which is in this process too. */
const MOST = 24 * MIB;
const RULE = ACTIONS.DetectReflectLivenessAndCompare.resources.liveData as ResourceRule;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

let bench: Bench;

beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

test('hashing and putting 64 MiB holds a fraction of it', async () => {
  const path = join(bench.dir, 'large.gz');
  const file = await open(path, 'w');
  await file.write(Buffer.from([0x1f, 0x8b]));
  await file.truncate(SIZE);
  await file.close();
  const sources = createSources({ roots: [bench.dir], transport: bench.transport, buckets: new Map() });
  const links = createLinkIo(bench.transport);
  const link = await bench.bucket.signPut('large', 60_000);

  gc();
  const before = process.memoryUsage().arrayBuffers;
  let passed = 0;
  let held = 0;
  async function* watched(pieces: AsyncIterable<Uint8Array>) {
    for await (const piece of pieces) {
      yield piece;
      passed += piece.byteLength;
      if (passed % (4 * MIB) !== 0) continue;
      gc(); // what is left afterwards is held by somebody, and is no mere litter
      held = Math.max(held, process.memoryUsage().arrayBuffers - before);
    }
  }
  const source = await sources.open({ from: 'file', path }, RULE, 'resources.liveData', never());
  const head = { sizeBytes: source.sizeBytes, md5: source.md5, contentType: 'application/octet-stream' };
  await links.put(link, () => watched(source.stream()), head, never());
  await source.close();
  expect(await bench.control.objects()).toMatchObject([{ sizeBytes: SIZE }]);
  expect(passed).toBe(SIZE);
  expect(held).toBeLessThan(MOST);
});
