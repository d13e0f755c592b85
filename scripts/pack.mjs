/**
 * Makes the two packages in `.bestframe/pack/`:
 *
 * bestframe          everything: client, workers, HTTP API, dashboard, emulator, command line
 * bestframe-client   the two clients alone; depends on bullmq, ioredis and zod, but its entry `./http` loads none of these
 *
 * Both have the same client: one file per entry and module format, so `import`, `require`, Jest and bundlers all work.
 * Prints the paths of the tarballs on stdout.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { bundleClient, CLIENT_PACKAGES, FORMATS } from './bundle-client.mjs';
import { root, runTool } from './child-process.mjs';
import { ensureDependencies } from './ensure-dependencies.mjs';

const ENTRIES = { index: 'src/index.ts', http: 'src/client/http/index.ts' };
const LICENSE_OF_BUNDLED = 'LICENSE-opentelemetry-api';

export async function pack(destination = join(root, '.bestframe', 'pack')) {
  await build();
  rmSync(destination, { recursive: true, force: true });
  const staged = join(destination, 'staged');
  mkdirSync(staged, { recursive: true });
  const manifest = readJson('package.json');
  await stageClient(join(staged, 'bestframe-client'), manifest);
  await stageAll(join(staged, 'bestframe'), manifest, join(staged, 'bestframe-client'));
  const tarballs = [];
  for (const name of ['bestframe', 'bestframe-client']) {
    await runTool('npm', [
      'pack',
      join(staged, name),
      '--silent',
      '--ignore-scripts',
      '--pack-destination',
      destination,
    ]);
    tarballs.push(join(destination, `${name}-${manifest.version}.tgz`));
  }
  return tarballs;
}

async function stageClient(folder, manifest) {
  await bundleClient(
    folder,
    Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, join(root, file)])),
  );
  copyTypes(folder);
  const { version, license, engines, dependencies } = manifest;
  writeJson(join(folder, 'package.json'), {
    name: 'bestframe-client',
    version,
    description: 'Clients for Bestframe, the durable job queue for Tencent Cloud face-liveness verification',
    license,
    type: 'module',
    sideEffects: false,
    engines,
    exports: clientExports('.'),
    files: [...FORMATS, LICENSE_OF_BUNDLED],
    dependencies: Object.fromEntries(CLIENT_PACKAGES.map((name) => [name, dependencies[name]])),
  });
  cpSync(join(root, 'docs', 'client-package.md'), join(folder, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  cpSync(join(root, 'node_modules', '@opentelemetry', 'api', 'LICENSE'), join(folder, LICENSE_OF_BUNDLED));
}

/** Puts together the package `bestframe`: dist as it was built, with the client's bundles in dist/client. */
async function stageAll(folder, manifest, client) {
  const { devDependencies, scripts, ...published } = manifest;
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.stamp') });
  for (const format of FORMATS)
    cpSync(join(client, format), join(folder, 'dist', 'client', format), { recursive: true });
  for (const file of ['docs', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  writeJson(join(folder, 'package.json'), { ...published, exports: clientExports('./dist/client') });
}

function clientExports(base) {
  const entry = (name) =>
    Object.fromEntries(
      FORMATS.map((format) => [
        format === 'esm' ? 'import' : 'require',
        { types: `${base}/${format}/types/${typesOf(name)}`, default: `${base}/${format}/${name}.js` },
      ]),
    );
  return { '.': entry('index'), './http': entry('http'), './package.json': './package.json' };
}

function typesOf(name) {
  return ENTRIES[name].replace(/^src\//, '').replace(/\.ts$/, '.d.ts');
}

/**
 * Copies the type declarations that the entries import, directly or indirectly, for each module format. TypeScript treats the
 * copies in a CommonJS folder as CommonJS, which `require` needs.
 */
function copyTypes(folder) {
  const dist = join(root, 'dist', 'src');
  const reached = new Set();
  const waiting = Object.keys(ENTRIES).map(typesOf);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    const text = readFileSync(join(dist, file), 'utf8');
    // A consumer's compiler resolves './x.js' to './x.d.ts'. For './x.ts' the consumer would have to change the compiler's
    // settings.
    const written = text.replace(/(['"])(\.\.?\/[^'"]+)\.ts\1/g, (_all, quote, path) => {
      waiting.push(join(dirname(file), `${path}.d.ts`));
      return `${quote}${path}.js${quote}`;
    });
    for (const format of FORMATS) {
      const target = join(folder, format, 'types', file);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, written);
    }
  }
}

function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'));
}

function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureDependencies();
  for (const tarball of await pack()) process.stdout.write(`${tarball}\n`);
}
