/**
 * Stand-ins for the official Node image that the Dockerfile starts from, for machines that reach Debian's packages and the npm
 * registry, and no registry of images. They have what the Dockerfile and the image need: a shell and the tools of Debian's
 * essential packages, Node and npm, and the user `node`.
 */
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MINUTE = 60_000;
const PACKAGES = ['base-files', 'coreutils', 'dash', 'findutils', 'libc-bin', 'libstdc++6', 'sed', 'util-linux'];
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Makes the root folder of a stand-in for `node:<major>-<debian release>-slim`.
 * @param {string} folder for the downloads and the root
 * @returns {Promise<string>} the root
 */
export async function makeNodeBase(folder, { node, release }) {
  const base = join(folder, 'base');
  const [nodeFolder, npmFolder] = await Promise.all([
    fetchPackage(folder, `node-linux-${process.arch}@${node}`),
    fetchPackage(folder, 'npm@11'),
    // `extract` unpacks and configures nothing, which takes seconds instead of minutes.
    run('mmdebstrap', ['--variant=extract', '--format=directory', `--include=${PACKAGES.join(',')}`, release, base], {
      timeout: 5 * MINUTE,
    }),
  ]);
  const local = join(base, 'usr', 'local');
  const npm = join(local, 'lib', 'node_modules', 'npm');
  for (const path of [join(local, 'bin'), join(local, 'etc'), npm]) mkdirSync(path, { recursive: true });
  cpSync(join(nodeFolder, 'bin', 'node'), join(local, 'bin', 'node'));
  cpSync(npmFolder, npm, { recursive: true });
  for (const name of ['npm', 'npx']) {
    chmodSync(join(npm, 'bin', `${name}-cli.js`), 0o755);
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, 'bin', name));
  }
  if (!existsSync(join(base, 'bin', 'sh'))) symlinkSync('dash', join(base, 'bin', 'sh'));
  writeFileSync(join(base, 'etc', 'passwd'), 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n');
  writeFileSync(join(base, 'etc', 'group'), 'root:x:0:\nnode:x:1000:\n');
  await takeNetwork(base, join(local, 'etc', 'npmrc'));
  return base;
}

/** Unpacks a package of npm. @returns its folder */
async function fetchPackage(folder, spec) {
  const place = join(folder, spec.split('@')[0]);
  mkdirSync(place);
  await run('npm', ['pack', '--silent', spec], { cwd: place, timeout: 3 * MINUTE });
  await run('tar', ['xzf', readdirSync(place)[0], '--strip-components=1'], { cwd: place });
  return place;
}

/** Lets npm inside the base reach the registry as this machine does. */
async function takeNetwork(base, npmrc) {
  const { stdout: registry } = await run('npm', ['config', 'get', 'registry']);
  writeFileSync(npmrc, `registry=${registry.trim()}\n`);
  if (!existsSync(CERTIFICATES)) return;
  mkdirSync(join(base, 'etc', 'ssl', 'certs'), { recursive: true });
  cpSync(CERTIFICATES, join(base, CERTIFICATES), { dereference: true });
  appendFileSync(npmrc, `cafile=${CERTIFICATES}\n`);
}
