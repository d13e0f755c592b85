/**
 * How long a process takes to import the client, or to print the CLI's help, compared with `node -e 0`. The clients are bundled as in the
 * packages.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BenchEnvironment } from '../environment.ts';
import { type Figure, median } from '../figure.ts';

const MIN_ROUNDS = 3;

export const start: Figure = {
  name: 'start',
  about: 'start of a process, compared with node -e 0',
  values: [
    { name: 'HTTP client', unit: '×', goal: { atMost: 1.5 } },
    { name: 'client', unit: '×' },
    { name: 'bestframe --help', unit: '×', goal: { atMost: 2 } },
    { name: 'node -e 0', unit: 'ms' },
  ],
  seconds: { usual: 3, quick: 3 },
  measure,
};

async function measure({ dir, build }: BenchEnvironment, seconds: number) {
  const packed = join(dir, 'client');
  const { bundleClient } = await import(pathToFileURL(resolve('scripts', 'bundle-client.mjs')).href);
  await bundleClient(packed, build.entries);
  const load = (path: string) => ['--input-type=module', '-e', `await import(${JSON.stringify(path)}); process.exit()`];
  const commands = {
    'node -e 0': ['-e', '0'],
    'HTTP client': load(join(packed, 'esm', 'http.js')),
    client: load(join(packed, 'esm', 'redis.js')),
    'bestframe --help': [build.cli, '--help'],
  };
  const took: Record<keyof typeof commands, number[]> = {
    'node -e 0': [],
    'HTTP client': [],
    client: [],
    'bestframe --help': [],
  };
  const end = performance.now() + seconds * 1_000;
  for (let round = 0; round < MIN_ROUNDS || performance.now() < end; round += 1) {
    for (const [name, args] of Object.entries(commands)) {
      const startedAt = performance.now();
      const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
      took[name as keyof typeof commands].push(performance.now() - startedAt);
    }
  }
  const bare = took['node -e 0'];
  const ratio = (name: keyof typeof commands) =>
    median(took[name].map((ms, index) => ms / (bare[index] ?? Number.NaN)));
  return {
    'HTTP client': ratio('HTTP client'),
    client: ratio('client'),
    'bestframe --help': ratio('bestframe --help'),
    'node -e 0': median(bare),
  };
}
