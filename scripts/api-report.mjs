/**
 * The TypeScript API of the package as one text: the declaration files that its entry point leads to, without comments and without
 * those of `src/redis`, which no user names. The stored copy is `test/packages/api-report.txt`. Its diff shows what users will notice, so
 * that the next version says it (docs/versions.md).
 *
 * `node scripts/api-report.mjs` compares, and exits with 1 if they differ; `--update` stores the present one. Both need a build.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './child-process.mjs';

const ENTRY = join(root, 'dist', 'src', 'index.d.ts');
const REPORT = join(root, 'test', 'packages', 'api-report.txt');
const INTERNAL = join(root, 'dist', 'src', 'redis');
const COMMENT = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const IMPORT = /(?:from |import\()'(\.[^']+)'/g;

export function apiReport() {
  const files = new Map();
  const read = (file) => {
    if (files.has(file) || file.startsWith(INTERNAL)) return;
    const text = readFileSync(file, 'utf8');
    files.set(file, text);
    for (const [, path] of text.matchAll(IMPORT)) read(join(dirname(file), path.replace(/\.(?:ts|js)$/, '.d.ts')));
  };
  read(ENTRY);
  const dist = join(root, 'dist');
  return [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, text]) => `// ${relative(dist, file)}\n${withoutComments(text)}\n`)
    .join('\n');
}

function withoutComments(text) {
  return text
    .replaceAll(COMMENT, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && line.trim() !== 'export {};')
    .join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const present = apiReport();
  const stored = existsSync(REPORT) ? readFileSync(REPORT, 'utf8') : '';
  if (process.argv.includes('--update')) writeFileSync(REPORT, present);
  else if (present !== stored) {
    process.stderr.write('the public API changed: run node scripts/api-report.mjs --update, and read the diff\n');
    process.exitCode = 1;
  }
}
