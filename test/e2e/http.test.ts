/** The HTTP API as it is met: by the README's own lines against `dev`, and as a process that is told to end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

interface Dev {
  readonly api: string;
  readonly key: string;
  readonly env: Record<string, string>;
}

let running: RunningCli;
let dev: Dev;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(HOME, 'http-'));
  running = startCli(['dev', '--json']);
  const [line = ''] = await running.stdoutWith(/^\{.*\}\n/);
  dev = JSON.parse(line) as Dev;
});
afterAll(async () => {
  running.child.kill('SIGTERM');
  await running.result;
  await rm(dir, { recursive: true, force: true });
});

/** A line of the README, as a shell takes it. */
async function shell(line: string, env: Record<string, string>): Promise<string> {
  const child = spawn('sh', ['-c', line], {
    cwd: dir,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${line} ended with ${code}: ${stdout}`);
  return stdout;
}

it('the lines of the README send two files, look, and fetch the frame', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const lines = [...readme.matchAll(/^curl .*$/gm)].map(([line]) => line);
  expect(lines).toHaveLength(3);
  const [submit = '', get = '', frame = ''] = lines;
  await writeFile(join(dir, 'live.gz'), sampleLiveData({ card: 'match' }));
  await writeFile(join(dir, 'photo.jpg'), sampleImage());
  const env = { API: dev.api, KEY: dev.key };
  const submitted = JSON.parse(await shell(submit, env)) as { id: string };
  expect(submitted).toMatchObject({ next: 'accept', decision: 'match', mode: 'test', tenant: 'default' });
  const ID = submitted.id;
  await expect.poll(async () => JSON.parse(await shell(get, { ...env, ID })).frame, { timeout: 30_000 }).toBe('stored');
  await shell(frame, { ...env, ID });
  expect((await readFile(join(dir, 'frame.jpg'))).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
});

it('start api is a process of its own; told to end, it answers who waits, and ends with 0', async () => {
  const api = startCli(['start', 'api'], { ...dev.env, BESTFRAME_API_PORT: '0', BESTFRAME_LOG: 'json' });
  let log = '';
  const ready = new Promise<string>((resolve) => {
    api.child.stderr?.on('data', (text: string) => {
      log += text;
      const [, url] = /"address":"([^"]+)"/.exec(log) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  const url = await ready;
  const headers = { authorization: `Bearer ${dev.key}`, 'content-type': 'application/json' };
  const gate = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare', why: 'test' };
  const steer = (word: string) =>
    fetch(`${dev.api}/v1/gate`, { method: 'POST', headers, body: JSON.stringify({ ...gate, steer: word }) });
  expect((await steer('pause')).status).toBe(200);
  const form = new FormData();
  form.set('verification', JSON.stringify({ key: 'waits', region: 'ap-singapore', upload: 'own-bucket' }));
  form.set('liveData', new Blob([new Uint8Array(sampleLiveData({ card: 'match', nonce: 'waits' }))]), 'a');
  form.set('image', new Blob([new Uint8Array(sampleImage('waits'))]), 'b');
  const { authorization } = headers;
  const sent = await fetch(`${url}/v1/verifications`, { method: 'POST', headers: { authorization }, body: form });
  expect(sent.status).toBe(202);
  const waiting = fetch(`${url}${sent.headers.get('location')}?wait=60`, { headers: { authorization } });
  await expect.poll(() => auditOf(dev).then((text) => text.includes('timeline.read')), { timeout: 30_000 }).toBe(true);
  api.child.kill('SIGTERM');
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ next: 'wait', key: 'waits' });
  expect((await api.result).code).toBe(0);
  await steer('resume');
});

function auditOf({ env }: Dev): Promise<string> {
  return readFile(env.BESTFRAME_AUDIT ?? '', 'utf8');
}
