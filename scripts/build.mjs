/** Compiles into dist/ (chaos kit and benchmarks: into folders of their own) if what is there is not made of the present sources. Prints to stderr only. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, runTool } from './child.mjs';

/** What is compiled from which folders by which config, and where it goes. */
const PARTS = {
  product: { out: 'dist', config: 'tsconfig.build.json', folders: ['src', 'workers'] },
  chaos: { out: '.bestframe/chaos', config: 'tsconfig.chaos.json', folders: ['src', 'test/chaos', 'test/support'] },
  bench: { out: '.bestframe/bench', config: 'tsconfig.bench.json', folders: ['src', 'bench'] },
};

/** @param part a name in PARTS. */
export async function build(part = 'product') {
  const { out, config, folders } = PARTS[part];
  const dist = join(root, out);
  const stamp = join(dist, '.stamp');
  const hash = hashOf(folders);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  process.stderr.write('building\n');
  rmSync(dist, { recursive: true, force: true }); // nothing of a removed source stays
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  await runTool(tsc, ['-p', join(root, config)]);
  for (const file of filesIn('src').filter((path) => path.endsWith('.lua'))) cpSync(join(root, file), join(dist, file));
  writeFileSync(stamp, hash); // last: a build that was broken off is built anew
}

/** Of the contents, not the times: a checkout, a copy and a container layer set times as they like. */
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
