/** Tests the HTTP API in `dev` with the commands of the README. Also tests how the API's own process handles SIGTERM. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type Dev, startApi, startDev, upload } from '../support/dev-api.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

let dev: Dev;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(HOME, 'http-'));
  dev = await startDev();
});
afterAll(async () => {
  await dev.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Runs a command of the README in a shell. */
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

it('the commands of the README submit two files, read the verification and fetch the frame', async () => {
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

it('an API process answers waiting requests on SIGTERM and exits with 0', async () => {
  const api = await startApi(dev);
  const headers = { authorization: `Bearer ${dev.key}` };
  const gate = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare', why: 'test' };
  const steer = (steering: string) =>
    fetch(`${dev.api}/v1/gate`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...gate, steer: steering }),
    });
  expect((await steer('pause')).status).toBe(200);
  const sent = await upload(dev, api, 'waits', sampleLiveData({ card: 'match', nonce: 'waits' }));
  expect(sent.status).toBe(202);
  const { id } = (await sent.json()) as { id: string };
  const waiting = fetch(`${api.url}${sent.headers.get('location')}?wait=60`, { headers });
  await expect.poll(async () => (await auditOf(dev)).includes(id), { timeout: 30_000 }).toBe(true);
  api.cli.child.kill('SIGTERM');
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ next: 'wait', key: 'waits' });
  expect((await api.cli.result).code).toBe(0);
  await steer('resume');
});

function auditOf({ env }: Dev): Promise<string> {
  return readFile(env.BESTFRAME_AUDIT ?? '', 'utf8');
}
