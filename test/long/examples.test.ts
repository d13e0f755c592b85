/** Runs the commands of examples/README.md unchanged against one `dev` deployment, and compares their output with the page. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CARDS } from '../../src/emulator/cards.ts';
import { type RunningCli, startCli } from '../support/cli.ts';
import { HOME } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const EXAMPLES = [
  'enqueue-and-wait',
  'http-upload',
  'webhook-receiver',
  'batch-manifest',
  'app-session',
  'web-session',
  'own-ci',
];

interface Section {
  /** The shell blocks of the section, joined in order. */
  readonly script: string;
  /** The last output block of the section. `…` matches any text. */
  readonly output: string;
}

let dev: RunningCli;
let dir: string;
let page: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  page = await readFile(join(ROOT, 'examples', 'README.md'), 'utf8');
  // The commands write files, so they run in a separate folder that looks like the root of a checkout.
  dir = await mkdtemp(join(HOME, 'examples-'));
  await symlink(join(ROOT, 'examples'), join(dir, 'examples'));
  dev = startCli(['dev', '--json']);
  const [line = ''] = await dev.stdoutWith(/^\{.*\}\n/);
  const world = JSON.parse(line) as {
    api: string;
    key: string;
    emulator: string;
    env: Record<string, string>;
  };
  const { PATH = '', HOME: home } = process.env;
  const path = [join(dir, 'examples', 'checkout'), PATH].join(delimiter);
  env = {
    ...world.env,
    PATH: path,
    HOME: home,
    API: world.api,
    KEY: world.key,
    EMULATOR: world.emulator,
    NO_COLOR: '1',
  };
  const samples = section('Before you start');
  expect(await shell(samples.script)).toMatch(pattern(samples.output));
});

afterAll(async () => {
  dev.child.kill('SIGTERM');
  await dev.result;
  await rm(dir, { recursive: true, force: true });
});

function section(heading: string): Section {
  const [, text = ''] = page.split(`\n## ${heading}\n`);
  const [own = ''] = text.split(/^## /m);
  const blocks = (language: string) =>
    [...own.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, block = '']) => (name === language ? [block] : []));
  return { script: blocks('sh').join(''), output: blocks('text').at(-1) ?? '' };
}

function pattern(output: string): RegExp {
  return new RegExp(`^${source(output)}$`);
}

function source(output: string): string {
  return output.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '[^]*');
}

/** Runs a script until it exits. @returns the script's output */
async function shell(script: string): Promise<string> {
  const started = startShell(script, env);
  const code = await started.ended;
  if (code !== 0) throw new Error(`the script ended with exit code ${code}:\n${script}\n${started.stdout()}`);
  return started.stdout();
}

function startShell(script: string, environment: NodeJS.ProcessEnv) {
  // The script gets its own process group, so that its background processes can be stopped too.
  const child = spawn('sh', ['-euc', script], {
    cwd: dir,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    /** Resolves when the script and its background processes have ended. */
    ended: once(child, 'close').then(([code]) => code as number | null),
    stop: () => void process.kill(-(child.pid ?? 0), 'SIGTERM'),
  };
}

it('the page describes exactly the existing examples', async () => {
  const folders = (await readdir(join(ROOT, 'examples'), { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && entry.name !== 'checkout' && entry.name !== 'node_modules')
    .map(({ name }) => name);
  expect(folders.sort()).toEqual([...EXAMPLES].sort());
  const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(['Before you start', ...EXAMPLES]);
});

it('the examples type-check', async () => {
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  expect(await shell(`'${tsc}' --noEmit -p '${join(ROOT, 'examples')}'`)).toBe('');
});

it('bestframe samples writes a package, a photo, a video and device data for each test card', async () => {
  const { samples } = JSON.parse(await shell('bestframe samples other --json'));
  expect(samples).toEqual(
    Object.keys(CARDS).map((card) => ({
      card,
      liveData: join(dir, 'other', `${card}.gz`),
      image: join(dir, 'other', `${card}.jpg`),
      video: join(dir, 'other', `${card}.mp4`),
      deviceData: join(dir, 'other', `${card}.txt`),
    })),
  );
  for (const { card, liveData, image, video, deviceData } of samples) {
    const written = `bestframe-card {"card":"${card}"}`;
    expect(gunzipSync(await readFile(liveData)).toString('latin1')).toContain(written);
    expect((await readFile(image)).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
    const film = (await readFile(video)).toString('latin1');
    expect([film.slice(4, 8), film.includes(written)]).toEqual(['ftyp', true]);
    expect(Buffer.from(await readFile(deviceData, 'utf8'), 'base64').toString('latin1')).toContain(written);
  }
});

it('enqueue-and-wait prints next', async () => {
  const { script, output } = section('enqueue-and-wait');
  expect(await shell(script)).toMatch(pattern(output));
  expect(await shell(script.replaceAll('match.', 'spoof.'))).toMatch(/next: refuse\n$/);
});

it('http-upload saves the frame', async () => {
  const { script, output } = section('http-upload');
  expect(await shell(script)).toMatch(pattern(output));
  expect((await readFile(join(dir, '.bestframe', 'frame.jpg'))).subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]));
  expect(await shell(script.replaceAll('match.', 'badLight.'))).toMatch(/^next: recapture \(.+\)\nno frame\n$/);
});

it('app-session prints next for a person and for a spoof', async () => {
  const { script, output } = section('app-session');
  expect(await shell(script)).toMatch(pattern(output));
});

it('web-session sends the browser to the page and back', async () => {
  const { script, output } = section('web-session');
  const port = String(await freePort());
  const started = startShell(script.replaceAll('8090', port), { ...env, PORT: port });
  expect(await started.ended, started.stderr()).toBe(0);
  expect(started.stdout()).toMatch(pattern(output.replaceAll('8090', port)));
});

describe('webhook-receiver', () => {
  let receiver: ReturnType<typeof startShell>;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    const { script } = section('webhook-receiver');
    receiver = startShell(script.replaceAll('8443', String(port)), { ...env, PORT: String(port) });
  });
  afterAll(async () => {
    receiver.stop();
    await receiver.ended;
  });

  /** Delivers a signed message as Bestframe does. @returns the status of the response */
  async function deliver(id: string, { secret, at = new Date() }: { secret: string; at?: Date }): Promise<number> {
    const body = JSON.stringify({ type: 'webhook.test', timestamp: at.toISOString(), data: { id, mode: 'test' } });
    const call = request(`https://localhost:${port}/hooks/faces`, {
      method: 'POST',
      ca: await readFile(join(dir, '.bestframe', 'receiver-cert.pem')),
      headers: {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': new Webhook(secret).sign(id, at, body),
      },
    });
    call.end(body);
    const [response] = await once(call, 'response');
    response.resume();
    return response.statusCode;
  }

  it('receives a test message and the webhooks of a verification', async () => {
    const { output } = section('webhook-receiver');
    const lines = output.trimEnd().replaceAll('8443', String(port)).split('\n');
    const missing = () => lines.filter((line) => !new RegExp(`^${source(line)}$`, 'm').test(receiver.stdout()));
    await expect.poll(missing, { timeout: 60_000 }).toEqual([]);
  });

  it('answers 204 to a repeated delivery without acting again, and 401 to a forged or old one', async () => {
    const [secret = ''] = /whsec_\S+/.exec(receiver.stdout()) ?? [];
    const other = `whsec_${Buffer.from('the secret of somebody else').toString('base64')}`;
    const old = new Date(Date.now() - 301_000);
    expect(await deliver('first', { secret })).toBe(204);
    expect(await deliver('first', { secret })).toBe(204);
    expect(await deliver('forged', { secret: other })).toBe(401);
    expect(await deliver('old', { secret, at: old })).toBe(401);
    expect(await deliver('last', { secret })).toBe(204);
    await expect.poll(() => receiver.stdout()).toMatch(/^webhook.test: last$/m);
    const printed = receiver.stdout().match(/^webhook.test: (first|forged|old|last)$/gm);
    expect(printed).toEqual(['webhook.test: first', 'webhook.test: last']);
  });
});

it('batch-manifest enqueues a CSV only once, and enqueues JSON Lines', async () => {
  const { script, output } = section('batch-manifest');
  expect(await shell(script)).toMatch(pattern(output));
  expect(await shell(script)).toMatch(pattern(output.replaceAll(': new,', ': same,')));
  const summary = /\nsummary: 1 accept, 1 refuse, 1 recapture, 0 refused\n$/;
  expect(await shell(script.replaceAll('.csv', '.jsonl'))).toMatch(summary);
});

it('own-ci tests a backend against its own local deployment with the command that the workflow uses', async () => {
  const { script, output } = section('own-ci');
  const workflow = await readFile(join(ROOT, 'examples', 'own-ci', 'github-actions.yml'), 'utf8');
  const commands = [...workflow.matchAll(/^ +- run: (.+)$/gm)].map(([, command]) => command);
  expect(commands).toEqual(['npm ci', script.trimEnd().split('\n').at(-1)]);
  expect(await shell(script)).toMatch(pattern(output));
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
