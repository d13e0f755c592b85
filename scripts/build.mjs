/**
 * Compiles the product into dist/, and the chaos kit, the explorer, the simulator and the benchmarks into their own folders. Skips parts whose
 * output is up to date. Prints to stderr only.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, runTool } from './child-process.mjs';
import { embedLua } from './embed-lua.mjs';

/** Output folder, TypeScript config and source folders of each part. */
const PARTS = {
  product: { out: 'dist', config: 'tsconfig.build.json', folders: ['src', 'workers'] },
  chaos: { out: '.bestframe/chaos', config: 'tsconfig.chaos.json', folders: ['src', 'test/chaos', 'test/support'] },
  explore: { out: '.bestframe/explore', config: 'tsconfig.explore.json', folders: ['src', 'test/explorer'] },
  simulate: {
    out: '.bestframe/simulate',
    config: 'tsconfig.simulate.json',
    folders: ['src', 'test/simulator', 'test/explorer', 'test/chaos', 'test/support'],
  },
  bench: { out: '.bestframe/bench', config: 'tsconfig.bench.json', folders: ['src', 'bench'] },
};

/** @param part a name in PARTS. */
export async function build(part = 'product') {
  const { out, config, folders } = PARTS[part];
  const dist = join(root, out);
  const stamp = join(dist, '.stamp');
  embedLua(); // Runs before the hash is computed: lua.ts is a source too.
  const hash = hashOf(folders);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  process.stderr.write('building\n');
  rmSync(dist, { recursive: true, force: true }); // Otherwise the output of deleted sources would remain.
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  await runTool(tsc, ['-p', join(root, config)]);
  writeFileSync(stamp, hash); // Written last, so that an interrupted build is repeated.
}

/** Hashes the contents of the files. Modification times are no help: checkouts, copies and container layers change them. */
function hashOf(folders) {
  const configs = readdirSync(root).filter((name) => /^tsconfig.*\.json$/.test(name) || name === 'package.json');
  const hash = createHash('sha256');
  for (const file of [...folders.flatMap(filesIn), ...configs.sort()]) {
    hash.update(`${file}\0`).update(
      createHash('sha256')
        .update(readFileSync(join(root, file)))
        .digest(),
    );
  }
  return hash.digest('hex');
}

function filesIn(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
