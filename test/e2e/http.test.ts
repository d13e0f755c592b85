/** Tests the HTTP API in `dev` with the commands of the README. Also tests how the API's own process handles SIGTERM. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

interface Dev {
  readonly api: string;
  readonly key: string;
  readonly env: Record<string, string>;
}

const MOST_GROWTH_MB = 150;

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

describe('start api', () => {
  let api: RunningCli;
  let url: string;
  const headers = () => ({ authorization: `Bearer ${dev.key}` });

  beforeAll(async () => {
    api = startCli(['start', 'api'], { ...dev.env, BESTFRAME_API_PORT: '0', BESTFRAME_LOG: 'json' });
    url = await new Promise<string>((resolve) => {
      let log = '';
      api.child.stderr?.on('data', (text: string) => {
        log += text;
        const [, found] = /"address":"([^"]+)"/.exec(log) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
  });

  function upload(key: string, liveData: Buffer): Promise<Response> {
    const form = new FormData();
    form.set('verification', JSON.stringify({ key, region: 'ap-singapore', upload: 'own-bucket' }));
    form.set('liveData', new Blob([new Uint8Array(liveData)]), 'live.gz');
    form.set('image', new Blob([new Uint8Array(sampleImage(key))]), 'photo.jpg');
    return fetch(`${url}/v1/verifications`, { method: 'POST', headers: headers(), body: form });
  }

  it.runIf(process.platform === 'linux')(
    'streams ten uploads of 50 MB at once, accepted or refused, with little memory growth',
    async () => {
      const pid = api.child.pid ?? 0;
      await upload('warm', sampleLiveData({ card: 'match', padBytes: 5_000_000 }));
      const idle = await memoryMb(pid, 'VmRSS');
      await writeFile(`/proc/${pid}/clear_refs`, '5'); // resets the peak
      const large = sampleLiveData({ card: 'match', padBytes: 50_000_000 });
      const wrong = Buffer.concat([Buffer.from('no gzip'), large]);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => upload(`large-${index}`, index % 2 === 0 ? large : wrong)),
      );
      expect(answers.map(({ status }) => status)).toEqual(
        Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 202 : 400)),
      );
      const peak = await memoryMb(pid, 'VmHWM');
      console.info(`HTTP API: idle ${Math.round(idle)} MB, peak ${Math.round(peak)} MB with 10 × 50 MB`);
      expect(peak - idle).toBeLessThanOrEqual(MOST_GROWTH_MB);
    },
  );

  it('on SIGTERM it answers waiting requests and exits with 0', async () => {
    const gate = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare', why: 'test' };
    const steer = (steering: string) =>
      fetch(`${dev.api}/v1/gate`, {
        method: 'POST',
        headers: { ...headers(), 'content-type': 'application/json' },
        body: JSON.stringify({ ...gate, steer: steering }),
      });
    expect((await steer('pause')).status).toBe(200);
    const sent = await upload('waits', sampleLiveData({ card: 'match', nonce: 'waits' }));
    expect(sent.status).toBe(202);
    const { id } = (await sent.json()) as { id: string };
    const waiting = fetch(`${url}${sent.headers.get('location')}?wait=60`, { headers: headers() });
    await expect.poll(async () => (await auditOf(dev)).includes(id), { timeout: 30_000 }).toBe(true);
    api.child.kill('SIGTERM');
    const answer = await waiting;
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ next: 'wait', key: 'waits' });
    expect((await api.result).code).toBe(0);
    await steer('resume');
  });
});

async function memoryMb(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
}

function auditOf({ env }: Dev): Promise<string> {
  return readFile(env.BESTFRAME_AUDIT ?? '', 'utf8');
}
