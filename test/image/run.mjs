/**
 * Builds the image from the Dockerfile with buildah, on stand-ins for its base images, and runs it as an arbitrary user of the group
 * 0 without capabilities and with a read-only root. Needs root, Debian's packages and the npm registry; says `skipped` and why if
 * something is missing. The last line is `N passed, N failed`.
 */
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from '../../scripts/build.mjs';
import { root as repository } from '../../scripts/child-process.mjs';
import { makeNodeBase } from './base.mjs';
import { createContainer } from './container.mjs';

const exec = promisify(execFile);
const MINUTE = 60_000;
const TOOLS = ['buildah', 'mmdebstrap'];
const REVISION = 'the-revision';

const dockerfile = readFileSync(join(repository, 'Dockerfile'), 'utf8');
const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
const home = mkdtempSync(join(tmpdir(), 'bestframe-image-'));
const results = [];
let image;
try {
  const missing = await prepare();
  if (missing !== null) process.stdout.write(`skipped: ${missing}\n`);
  else if (await check('the image builds', buildImage)) await checkImage();
} finally {
  await exec('buildah', [...storage(), 'rm', '--all']).catch(() => undefined); // there may be no buildah
  await exec('rm', ['-rf', home]); // many layers: rm is much faster than Node
}
const failed = results.filter((passed) => !passed).length;
process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

/** @returns why the image cannot be built here; null if it can. */
async function prepare() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'building needs root on Linux';
  const may = await exec('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).catch((error) => error);
  if (may instanceof Error) return 'this machine lets nobody mount';
  const registry = await exec('npm', ['view', 'npm@11', 'version'], { timeout: MINUTE }).catch((error) => error);
  if (registry instanceof Error) return 'the npm registry does not answer';
  const absent = [];
  for (const tool of TOOLS) await exec(tool, ['--version']).catch(() => absent.push(tool));
  if (absent.length === 0) return null;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => exec('apt-get', args, { env, timeout: 5 * MINUTE, maxBuffer: 16 * 1024 * 1024 });
  try {
    await apt('update', '-qq');
    await apt('install', '-y', '-qq', '--no-install-recommends', ...absent);
    return null;
  } catch (error) {
    return `${absent.join(' and ')} cannot be installed (${String(error.stderr ?? error)
      .trim()
      .split('\n')
      .at(-1)})`;
  }
}

/** Keeps what buildah stores in a folder of its own, in a way that works on every file system. */
function storage() {
  return ['--root', join(home, 'storage'), '--runroot', join(home, 'run'), '--storage-driver', 'vfs'];
}

async function buildah(...args) {
  const { stdout } = await exec('buildah', [...storage(), ...args], {
    timeout: 10 * MINUTE,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trim();
}

async function checkImage() {
  const { config, root } = image;
  const app = (...path) => join(root, 'app', ...path);
  const volumes = /^RUN install --directory .* (\/.*)$/m.exec(dockerfile)?.[1].match(/\/\w+/g) ?? [];
  const env = Object.fromEntries(
    config.Env.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
  const container = createContainer({ root, workdir: config.WorkingDir, env, volumes }, home);
  const installed = Object.entries(
    JSON.parse(readFileSync(app('node_modules', '.package-lock.json'), 'utf8')).packages,
  );

  await check('says its version', async () => {
    const { code, stdout, stderr } = await container.run([...config.Entrypoint, '--version']);
    deepStrictEqual([code, stdout.trim(), stderr], [0, manifest.version, '']);
  });
  await check('has labels', async () => {
    const label = (name) => config.Labels[`org.opencontainers.image.${name}`];
    deepStrictEqual(['title', 'licenses', 'version', 'revision'].map(label), [
      manifest.name,
      manifest.license,
      manifest.version,
      REVISION,
    ]);
  });
  await check('contains no TypeScript and nothing for development', async () => {
    const { stdout } = await exec('find', [app(), '-name', '*.ts', '-o', '-name', '*.[cm]ts']);
    strictEqual(stdout, '');
    deepStrictEqual(
      installed.filter(([, { dev }]) => dev === true).map(([path]) => path),
      [],
    );
    ok(installed.length > 100);
    for (const name of ['src', 'test', 'scripts', 'node_modules/typescript', 'node_modules/vitest'])
      ok(!existsSync(app(name)), `${name} is in the image`);
  });
  await check('lists its packages in an SBOM', async () => {
    const { bomFormat, components } = JSON.parse(readFileSync(app('sbom.cdx.json'), 'utf8'));
    strictEqual(bomFormat, 'CycloneDX');
    const listed = new Set(components.map(({ purl }) => decodeURIComponent(purl)));
    const packages = installed
      .filter(([path]) => existsSync(app(path)))
      .map(([path, { version }]) => `pkg:npm/${path.split('node_modules/').at(-1)}@${version}`);
    deepStrictEqual([...listed].sort(), [...new Set(packages)].sort());
  });
  await check('lets its user write to its volumes and /tmp, and nowhere else', async () => {
    const places = [
      '/',
      '-xdev',
      '-writable',
      '-not',
      '-type',
      'l',
      '-not',
      '-path',
      '/proc/*',
      '-not',
      '-path',
      '/dev/*',
    ];
    const { stdout } = await container.run(['find', ...places]);
    deepStrictEqual(stdout.trim().split('\n').sort(), [...volumes, '/tmp'].sort());
    const touched = volumes.map((name) => `touch ${name}/file`).join(' && ');
    deepStrictEqual(await container.run(['sh', '-c', touched]), { code: 0, stdout: '', stderr: '' });
    match((await container.run(['touch', '/app/file'])).stderr, /Read-only file system/);
    const { stdout: status } = await container.run(['cat', '/proc/self/status']);
    match(status, /^CapEff:\s0+$/m);
    match(status, /^CapBnd:\s0+$/m);
    match(status, /^NoNewPrivs:\s1$/m);
  });
  await check('runs a service, whose health check passes while it lives, and drains on SIGTERM', () =>
    checkService(container, config),
  );
}

/** Builds the image, and takes its configuration and the folder in which its files are. */
async function buildImage() {
  const [, name, node, release] = /^FROM (node:(\d+)-(\w+)-slim)/m.exec(dockerfile) ?? [];
  const base = await timed('base', () => makeNodeBase(home, { node, release }));
  const from = await buildah('from', 'scratch');
  await buildah('add', '--quiet', from, base, '/');
  await buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', from);
  await buildah('commit', '--quiet', '--rm', from, `localhost/${name}`);
  // HEALTHCHECK is part of Docker's format only.
  const options = [
    '--pull-never',
    '--isolation=chroot',
    '--format=docker',
    `--build-arg=REVISION=${REVISION}`,
    '--jobs=2',
  ];
  const { stdout: cache } = await exec('npm', ['config', 'get', 'cache']);
  if (existsSync(cache.trim())) options.push(`--volume=${cache.trim()}:/root/.npm`);
  await timed('build', () => buildah('build', '--quiet', ...options, '--tag', 'bestframe', repository));
  const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', 'bestframe'));
  const working = await buildah('from', '--pull-never', 'bestframe');
  image = { config: Docker.config, root: await buildah('mount', working) };
}

async function checkService(container, { Entrypoint, Healthcheck, User }) {
  strictEqual(User, '1000:0');
  await build();
  const { provideRedis } = await import('../../dist/src/dev/local-redis.js');
  const redis = await provideRedis({ dir: join(home, 'redis'), cacheDir: join(repository, '.bestframe', 'cache') });
  try {
    const settings = { BESTFRAME_REDIS_URL: redis.url, BESTFRAME_MODE: 'test', BESTFRAME_LOG: 'json' };
    const made = await container.run([...Entrypoint, 'init', '--file', '/deployment/namespace'], settings);
    strictEqual(made.code, 0, made.stderr);
    const port = await (await import('../../dist/src/dev/free-port.js')).freePort();
    const env = {
      ...settings,
      BESTFRAME_NAMESPACE_FILE: '/deployment/namespace',
      BESTFRAME_MONITOR_PORT: String(port),
    };
    const health = async () => (await container.run(Healthcheck.Test.slice(1), env)).code;
    strictEqual(await health(), 1);
    const { child, ended } = container.start([...Entrypoint, 'start', 'notify'], env);
    await new Promise((resolve, reject) => {
      const look = (text) => String(text).includes('"event":"ready"') && resolve();
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      ended.then(({ code, stderr }) => reject(new Error(`it ended with ${code}: ${stderr}`)));
    });
    strictEqual(await health(), 0);
    process.kill(await innerPid(child.pid), 'SIGTERM');
    strictEqual((await ended).code, 0);
  } finally {
    await redis.stop();
  }
}

/** The service is the child of `unshare`, which does not pass signals on. */
async function innerPid(pid) {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

async function timed(what, work) {
  const start = performance.now();
  const result = await work();
  process.stdout.write(`        ${what}: ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
  return result;
}

async function check(title, step) {
  try {
    await step();
    results.push(true);
    process.stdout.write(`ok      ${title}\n`);
    return true;
  } catch (error) {
    results.push(false);
    process.stdout.write(`failed  ${title}\n${error.stderr ?? ''}${error.stack}\n`);
    return false;
  }
}
