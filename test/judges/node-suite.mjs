/**
 * Runs the test suite of `cos-nodejs-sdk-v5`. The npm package does not contain the suite, so you must clone the SDK's
 * repository.
 */
import { fork } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runTool } from '../../scripts/child-process.mjs';
import { leftOut } from './left-out.mjs';
import { APP_ID, openWorld, REGION } from './world.mjs';

const BUCKET = `judge-${APP_ID}`;
const LONGEST_MS = 20 * 60_000;

/** @param suite the repository's folder. @param home an empty folder to work in. */
export async function judgeByNode(suite, home) {
  const folder = join(home, 'suite');
  cpSync(suite, folder, { recursive: true, filter: (path) => !/\/(?:node_modules|\.git)$/.test(path) });
  mkdirSync(join(home, 'emulator'));
  if (!existsSync(join(folder, 'node_modules'))) {
    await runTool('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', folder]);
  }
  configure(join(folder, 'test', 'test.js'));
  const world = await openWorld(join(home, 'emulator'), [BUCKET]);
  try {
    return await run(folder, world);
  } finally {
    await world.close();
  }
}

/** Sets the suite's variable for a proxy, the only setting that the suite does not read from its environment. */
function configure(file) {
  const text = readFileSync(file, 'utf8');
  const configured = text.replace("var proxy = '';", "var proxy = process.env.http_proxy || '';");
  if (configured === text) throw new Error('the suite has no variable "proxy" any more');
  writeFileSync(file, configured);
}

function run(folder, { secretId, secretKey, stsUrl, env }) {
  const log = openSync(join(folder, '..', 'output.log'), 'w');
  const names = leftOut.node.flatMap(({ tests }) => tests);
  const runner = join(root, 'test', 'judges', 'node-runner.cjs');
  const child = fork(runner, ['test/test.js', JSON.stringify(names)], {
    cwd: folder,
    stdio: ['ignore', log, log, 'ipc'],
    timeout: LONGEST_MS,
    env: {
      ...env,
      SecretId: secretId,
      SecretKey: secretKey,
      Bucket: BUCKET,
      Region: REGION,
      Uin: '100000000001',
      nodejssdkStsUrl: stsUrl,
    },
  });
  const results = [];
  child.on('message', (result) => results.push(result));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(results);
      else reject(new Error(`the suite ended early, with exit code ${code} after ${results.length} tests`));
    });
  });
}
