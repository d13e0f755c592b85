/** Prometheus and promtool of the distribution. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Binary, type DebianProgram, findProgram } from './debian-program.ts';

const PROMTOOL: DebianProgram = {
  names: ['promtool'],
  packages: ['prometheus'],
  path: 'usr/bin/promtool',
  versionArgs: ['--version'],
};

export function prometheus(): Promise<Binary> {
  return findProgram({ ...PROMTOOL, names: ['prometheus'], path: 'usr/bin/prometheus' });
}

/** @returns the exit code, and what it wrote to stdout and stderr. */
export async function promtool(args: readonly string[], input = ''): Promise<{ code: number; output: string }> {
  const { path, env } = await findProgram(PROMTOOL);
  const child = spawn(path, args, { env: { PATH: process.env.PATH, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code: code as number, output };
}
