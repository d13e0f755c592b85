/** Runs the tests of `cos-python-sdk-v5` (`ut/test.py`). The packages that the tests import come from Debian. */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../scripts/child-process.mjs';
import { unpackPackages } from './debian.mjs';
import { leftOut } from './left-out.mjs';
import { APP_ID, openWorld, REGION } from './world.mjs';

const LONGEST_MS = 30 * 60_000;
const PACKAGES = [
  'python3',
  'python3-requests',
  'python3-pycryptodome',
  'python3-crcmod',
  'python3-xmltodict',
  'python3-six',
];

/** @param suite the repository's folder. @param home an empty folder to work in. */
export async function judgeByPython(suite, home) {
  const packages = await unpackPackages('python', PACKAGES);
  const folder = join(home, 'suite');
  cpSync(suite, folder, { recursive: true, filter: (path) => !/\/\.git$/.test(path) });
  mkdirSync(join(home, 'emulator'));
  const world = await openWorld(join(home, 'emulator'));
  try {
    return await run(folder, packages, world);
  } finally {
    await world.close();
  }
}

function run(folder, packages, { secretId, secretKey, env }) {
  const names = leftOut.python.flatMap(({ tests }) => tests);
  const runner = join(root, 'test', 'judges', 'python-runner.py');
  const library = join(packages, 'usr', 'lib', 'python3', 'dist-packages');
  // Debian's pycryptodome has a different module name than PyPI's.
  const renamed = join(folder, '..', 'renamed');
  mkdirSync(renamed);
  symlinkSync(join(library, 'Cryptodome'), join(renamed, 'Crypto'));
  const child = spawn('/usr/bin/python3', [runner, folder, JSON.stringify(names)], {
    cwd: folder,
    stdio: ['ignore', 'pipe', openSync(join(folder, '..', 'errors.log'), 'w')],
    timeout: LONGEST_MS,
    env: {
      ...env,
      ...settings(secretId, secretKey),
      PYTHONPATH: `${renamed}:${library}`,
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  const results = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('RESULT ')) results.push(JSON.parse(line.slice('RESULT '.length)));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(results);
      else reject(new Error(`the suite ended early, with exit code ${code} after ${results.length} tests`));
    });
  });
}

/** The suite reads all of these variables, including those that its COS part does not use. */
function settings(secretId, secretKey) {
  return {
    COS_SECRET_ID: secretId,
    COS_SECRET_KEY: secretKey,
    COS_REGION: REGION,
    COS_APPID: APP_ID,
    TRAVIS_FLAG: 'false',
    TEST_CI: 'false',
    ERR_HOST: 'unused',
    USE_CREDENTIAL_INST: 'false',
    COS_VECTORS_BUCKET: `vectors-${APP_ID}`,
    COS_VECTORS_BUCKET_FOR_CREATE_DELETE: `vectors-new-${APP_ID}`,
    COS_VECTORS_APPID: APP_ID,
    COS_VECTORS_SECRET_ID: secretId,
    COS_VECTORS_SECRET_KEY: secretKey,
    COS_VECTORS_REGION: REGION,
    COS_VECTORS_USE_IP: 'false',
  };
}
