/** What a local deployment (`demo`, `dev`) started, and whether anything of it is left. */
import { connect } from 'node:net';
import { expect } from 'vitest';
import { type CliResult, lives } from './cli.ts';

/** Returns the processes and ports that a local deployment reported. */
export function startedBy({ stderr }: CliResult): { pids: number[]; urls: URL[] } {
  const pids = [...stderr.matchAll(/pids ([\d, ]+)\)/g)].flatMap(([, list = '']) => list.split(',').map(Number));
  return { pids, urls: [...stderr.matchAll(/http:\/\/[\d.:]+/g)].map(([url]) => new URL(url)) };
}

/** Expects that a local deployment has ended its processes and closed its ports. */
export async function expectNothingLeft(result: CliResult): Promise<void> {
  const { pids, urls } = startedBy(result);
  expect(pids.length).toBeGreaterThanOrEqual(3);
  expect(pids.filter(lives)).toEqual([]);
  for (const { hostname, port } of urls) expect(await isOpen(hostname, Number(port))).toBe(false);
}

export function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.unref();
  });
}
