/** Runs nginx with a file of `deploy/proxies`, on free ports of this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../src/dev/free-port.ts';
import { type DebianProgram, findProgram } from './debian-program.ts';
import { certificate } from './redis-profiles.ts';

const NGINX: DebianProgram = {
  names: ['nginx'],
  packages: ['nginx'],
  path: 'usr/sbin/nginx',
  versionArgs: ['-v'],
};

export const PROXIES = join(import.meta.dirname, '..', '..', 'deploy', 'proxies');

export interface TlsProxy {
  /** https://localhost:port */
  readonly url: string;
  /** PEM of the certificate. */
  readonly ca: string;
  stop(): Promise<void>;
}

/**
 * @param file name of a file in `deploy/proxies`.
 * @param changes texts to replace in it, such as the addresses of the services. Each text must occur.
 * @throws Error with what nginx wrote, if it does not start
 */
export async function startNginx(
  dir: string,
  file: string,
  changes: Readonly<Record<string, string>>,
): Promise<TlsProxy> {
  const { path, env } = await findProgram(NGINX);
  await mkdir(dir, { recursive: true });
  const { caFile, keyFile } = await certificate(dir);
  const port = await freePort();
  let server = replaceAll(file, await readFile(join(PROXIES, file), 'utf8'), {
    'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
    ...changes,
  });
  server = server.replace(/ssl_certificate .*;/, `ssl_certificate "${caFile}";`);
  server = server.replace(/ssl_certificate_key .*;/, `ssl_certificate_key "${keyFile}";`);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path "${dir}/${each}";`,
  );
  const conf = [
    'daemon off;',
    `pid "${join(dir, 'nginx.pid')}";`,
    'error_log stderr notice;',
    'events {}',
    `http { access_log off; ${temp.join(' ')}`,
    server,
    '}',
  ];
  await writeFile(join(dir, 'nginx.conf'), conf.join('\n'));
  const child = spawn(path, ['-p', dir, '-c', join(dir, 'nginx.conf')], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      if (/start worker process \d+/.test(printed)) resolve();
    });
    child.once('exit', () => reject(new Error(`nginx does not start: ${printed}`)));
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

/** @throws Error if the file lacks one of the texts */
export function replaceAll(file: string, content: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((changed, [text, replacement]) => {
    if (!changed.includes(text)) throw new Error(`${file} does not contain "${text}"`);
    return changed.replaceAll(text, replacement);
  }, content);
}
