/**
 * Tests the emulator's FaceID with the vendor's typed clients in three languages, each in its own process with an
 * ordinary configuration. A reply passes if it fits the SDK's model: every field must be filled, at least in one of several attempts.
 * The Python client also reports fields that the model lacks.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../../scripts/child-process.mjs';
import { unpackPackages } from './debian.mjs';
import { installGo } from './go.mjs';
import { openWorld } from './world.mjs';

const LONGEST_MS = 5 * 60_000;
const GO_SDK = 'github.com/tencentcloud/tencentcloud-sdk-go-intl-en';
const RUNNERS = join(root, 'test', 'judges');

/** @param home an empty folder to work in. */
export function judgeFaceIdByNode(_suite, home) {
  return judge(home, async () => ({ command: process.execPath, args: [join(RUNNERS, 'faceid-runner-node.mjs')] }));
}

/** @param suite the folder of a clone of tencentcloud-sdk-python-intl-en. */
export function judgeFaceIdByPython(suite, home) {
  return judge(home, async () => {
    const packages = await unpackPackages('python-faceid', ['python3', 'python3-requests']);
    const library = join(packages, 'usr', 'lib', 'python3', 'dist-packages');
    return {
      command: '/usr/bin/python3',
      args: [join(RUNNERS, 'faceid-runner.py')],
      env: { PYTHONPATH: `${suite}:${library}`, PYTHONDONTWRITEBYTECODE: '1' },
    };
  });
}

/** @param suite the folder of a clone of tencentcloud-sdk-go-intl-en. */
export function judgeFaceIdByGo(suite, home) {
  return judge(home, async () => {
    const { go } = await installGo();
    const module = join(home, 'module');
    for (const part of ['common', 'faceid'])
      cpSync(join(suite, 'tencentcloud', part), join(module, 'vendor', GO_SDK, 'tencentcloud', part), {
        recursive: true,
      });
    writeFileSync(join(module, 'go.mod'), `module judge\n\ngo 1.12\n\nrequire ${GO_SDK} v0.0.0\n`);
    cpSync(join(RUNNERS, 'faceid-runner.go'), join(module, 'main.go'));
    const cache = join(root, '.bestframe', 'judges-packages', 'go-cache');
    return {
      command: go,
      args: ['run', '-mod=vendor', '.'],
      cwd: module,
      env: { GOCACHE: cache, GOFLAGS: '', GOPROXY: 'off' },
    };
  });
}

/** Fields that stay empty: a document that was not read, changes to the document, and one that Tencent no longer fills. */
const EMPTY =
  '(CardInfoInputJson|CardInfo\\.(ML|Philippines|Indonesia|International|General|Thailand|Singapore|Macao|TaiWan|Japan' +
  '|Bangladesh|Nigeria|Pakistan|Mainland|HMT)[A-Za-z]*)$';

/**
 * The calls without uploads: those with Base64, and those that issue a token. A token is used once for each entry of `sessions`: the
 * cards are the attempts, the last of which ends the session. Then `result` is asked.
 */
async function directCalls() {
  const { sampleImage, sampleVideo } = await import(join(root, 'dist', 'src', 'emulator', 'samples.js'));
  const ImageBase64 = sampleImage().toString('base64');
  const videoOf = (card) => sampleVideo({ card }).toString('base64');
  const edition = { SdkVersion: 'PLUS', Extra: 'e' };
  const flow = (start, result, parameters) => ({
    start,
    result,
    token: 'SdkToken',
    sessions: [
      { parameters, cards: ['badLight', 'match'] },
      { parameters, cards: ['spoof'] },
    ],
  });
  const web = (Config) => ({ RedirectURL: 'https://shop.example.com/', Config, Extra: 'e' });
  const direct = (start, parameters) => ({ start, sessions: [{ parameters }] });
  return [
    direct('CompareFaceLiveness', { ImageBase64, VideoBase64: videoOf('match'), LivenessType: 'SILENT' }),
    direct('DetectAIFakeFaces', { FaceInput: videoOf('spoof'), FaceInputType: 2 }),
    flow('ApplySdkVerificationToken', 'GetSdkVerificationResult', { CheckMode: 1, ...edition }),
    flow('GetFaceIdTokenIntl', 'GetFaceIdResultIntl', { CheckMode: 'compare', Image: ImageBase64, ...edition }),
    flow('ApplyLivenessToken', 'GetLivenessResult', {}),
    {
      start: 'ApplyWebVerificationBizTokenIntl',
      result: 'GetWebVerificationResultIntl',
      token: 'BizToken',
      sessions: [
        { parameters: web({ CheckMode: 1, Version: 'PLUS' }), cards: ['badLight', 'match'] },
        { parameters: web({ CheckMode: 4 }), cards: ['match'] },
      ],
    },
  ];
}

/**
 * Starts a runner with the keys and a folder of sample files in its environment. `direct.json` in this folder has the calls without
 * uploads. A runner prints `RESULT ` and a line of JSON for
 * each action.
 */
async function judge(home, prepare) {
  const { command, args, cwd = home, env } = await prepare();
  const samples = join(home, 'samples');
  mkdirSync(join(home, 'emulator'));
  await writeSamples(samples);
  writeFileSync(join(samples, 'direct.json'), JSON.stringify(await directCalls()));
  const world = await openWorld(join(home, 'emulator'));
  const { secretId, secretKey, controlUrl: CONTROL } = world;
  try {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', openSync(join(home, 'errors.log'), 'w')],
      timeout: LONGEST_MS,
      env: { ...world.env, ...env, SECRET_ID: secretId, SECRET_KEY: secretKey, SAMPLES: samples, CONTROL, EMPTY },
    });
    return await readResults(child);
  } finally {
    await world.close();
  }
}

async function writeSamples(folder) {
  const samples = await import(join(root, 'dist', 'src', 'emulator', 'samples.js'));
  mkdirSync(folder);
  const card = { card: 'match' };
  writeFileSync(join(folder, 'match.gz'), samples.sampleLiveData(card));
  writeFileSync(join(folder, 'match.jpg'), samples.sampleImage());
  writeFileSync(join(folder, 'match.mp4'), samples.sampleVideo(card));
  writeFileSync(join(folder, 'match.txt'), samples.sampleDeviceData(card));
}

function readResults(child) {
  const results = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('RESULT ')) results.push(JSON.parse(line.slice('RESULT '.length)));
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0 && results.length > 0) resolve(results);
      else reject(new Error(`the client ended early, with exit code ${code}: see errors.log`));
    });
  });
}
