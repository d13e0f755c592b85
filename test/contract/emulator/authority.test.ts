/** Tests that the emulator keeps its CA over restarts, and replaces a CA that is unusable or expires soon. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProxyAgent, request } from 'undici';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openAuthority } from '../../../src/emulator/ca.ts';
import { startEmulator } from '../../../src/emulator/index.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-authority-'));
});
afterEach(() => {
  vi.useRealTimers();
  return rm(dir, { recursive: true });
});

/**
 * Starts an emulator, sends it a request over TLS, and stops it. The request trusts only the CA `trusted` (default: the
 * emulator's own CA).
 * @returns the emulator's ca.pem
 */
async function startOnce(trusted?: string): Promise<string> {
  const emulator = await startEmulator({ dir });
  const ca = await readFile(emulator.caFile, 'utf8');
  const proxy = new ProxyAgent({ uri: emulator.proxyUrl, requestTls: { ca: trusted ?? ca } });
  try {
    const reply = await request('https://service.cos.myqcloud.com/', { dispatcher: proxy });
    await reply.body.dump();
    expect(reply.statusCode).toBe(403);
  } finally {
    await proxy.destroy();
    await emulator.close();
  }
  return ca;
}

it('keeps its CA over restarts, in files that end in a newline; only its owner may read the key', async () => {
  const first = await startOnce();
  expect(await startOnce(first)).toBe(first);
  expect(first).toMatch(/-----END CERTIFICATE-----\n$/);
  const keyFile = join(dir, 'ca-key.pem');
  expect(await readFile(keyFile, 'utf8')).toMatch(/-----END PRIVATE KEY-----\n$/);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect(new X509Certificate(first).subject).toContain('Bestframe Emulator CA');
});

it.each([
  ['the key is missing', 'ca-key.pem', null],
  ['the key is damaged', 'ca-key.pem', 'nonsense'],
  ['the certificate is damaged', 'ca.pem', 'nonsense'],
])('creates a new CA if %s', async (_why, file, text) => {
  const first = await startOnce();
  if (text === null) await rm(join(dir, file));
  else await writeFile(join(dir, file), text);
  expect(await startOnce()).not.toBe(first);
});

it('creates a new CA if the old one expires within a month', async () => {
  const { pem } = await openAuthority(dir);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 330 * 86_400_000 });
  expect((await openAuthority(dir)).pem).toBe(pem);
  vi.setSystemTime(Date.now() + 10 * 86_400_000);
  expect((await openAuthority(dir)).pem).not.toBe(pem);
});

it('creates a new CA if the key belongs to another certificate', async () => {
  await startOnce();
  const foreign = await readFile(join(dir, 'ca-key.pem'), 'utf8');
  await rm(join(dir, 'ca.pem'));
  const second = await startOnce();
  await writeFile(join(dir, 'ca-key.pem'), foreign);
  expect(await startOnce()).not.toBe(second);
});
