/** Tests that the largest resource is hashed and uploaded in pieces, and never held in memory as a whole. */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLinkIo } from '../../../src/adapters/storage/link-io.ts';
import { createSources } from '../../../src/adapters/storage/sources.ts';
import { ACTIONS, type ResourceRule } from '../../../src/domain/verification/actions.ts';
import { type Bench, neverAborted, openBench } from './support.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
/** The most bytes that may be in memory, including those of the emulator, which runs in this process too. */
const MAX_HELD = 24 * MIB;
const RULE = ACTIONS.DetectReflectLivenessAndCompare.resources.liveData as ResourceRule;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

let bench: Bench;

beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Writes a package and fills it up with zeros to exactly `SIZE` bytes. Some archivers append zeros too. */
async function writePackage(path: string): Promise<void> {
  const file = await open(path, 'w');
  for (let members = 0; members < 15; members += 1) await file.write(gzipSync(randomBytes(4 * MIB), { level: 1 }));
  await file.truncate(SIZE);
  await file.close();
}

test('hashing and uploading 64 MiB keeps only a fraction of it in memory', async () => {
  const path = join(bench.dir, 'large.gz');
  await writePackage(path);
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
      gc(); // without this, memory that nothing refers to any more would be counted
      held = Math.max(held, process.memoryUsage().arrayBuffers - before);
    }
  }
  const source = await sources.open({ from: 'file', path }, RULE, 'resources.liveData', neverAborted());
  const head = { sizeBytes: source.sizeBytes, md5: source.md5, contentType: 'application/octet-stream' };
  await links.put(link, () => watched(source.stream()), head, neverAborted());
  await source.close();
  expect(await bench.control.objects()).toMatchObject([{ sizeBytes: SIZE }]);
  expect(passed).toBe(SIZE);
  expect(held).toBeLessThan(MAX_HELD);
});
