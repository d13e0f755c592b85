/** Runs Caddy with `deploy/proxies/Caddyfile`, on a free port of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../src/dev/free-port.ts';
import { type DebianProgram, findProgram } from './debian-program.ts';
import { PROXIES, replaceAll, type TlsProxy } from './nginx.ts';
import { certificate } from './redis-profiles.ts';

const CADDY: DebianProgram = {
  names: ['caddy'],
  packages: ['caddy'],
  path: 'usr/bin/caddy',
  versionArgs: ['version'],
};

/**
 * @param changes texts to replace in the file, such as the addresses of the services. Each text must occur.
 * @throws Error with what Caddy wrote, if it does not start
 */
export async function startCaddy(dir: string, changes: Readonly<Record<string, string>>): Promise<TlsProxy> {
  const { path, env } = await findProgram(CADDY);
  await mkdir(dir, { recursive: true });
  const { caFile, keyFile } = await certificate(dir);
  const port = await freePort();
  const site = replaceAll('Caddyfile', await readFile(join(PROXIES, 'Caddyfile'), 'utf8'), {
    'faces.example.com {': `localhost:${port} {\n\ttls "${caFile}" "${keyFile}"`,
    ...changes,
  });
  // Without these options, Caddy would ask a certificate authority, and listen on port 80 and on its administration port.
  const options = ['admin off', 'auto_https off', 'default_bind 127.0.0.1'];
  const file = join(dir, 'Caddyfile');
  await writeFile(file, `{\n\t${options.join('\n\t')}\n}\n\n${site}`);
  const child = spawn(path, ['run', '--config', file, '--adapter', 'caddyfile'], {
    env: { PATH: process.env.PATH, HOME: dir, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (printed.includes('serving initial configuration')) resolve();
    });
    child.once('exit', () => reject(new Error(`Caddy does not start: ${printed}`)));
    child.once('error', reject);
  });
  return {
    url: `https://localhost:${port}`,
    ca: await readFile(caFile, 'utf8'),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
