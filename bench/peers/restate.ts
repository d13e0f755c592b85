/** A private Restate server with its own defaults, from the npm package that was installed into `tools`. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../src/dev/free-port.ts';
import { startTethered } from '../../src/dev/tethered-process.ts';

export interface Restate {
  readonly ingress: string;
  readonly admin: string;
  stop(): Promise<void>;
}

const START_MS = 60_000;

export async function startRestate(dir: string, tools: string): Promise<Restate> {
  const home = await mkdtemp(join(dir, 'restate-'));
  const platform = `restate-server-${process.platform}-${process.arch}`;
  const binary = join(tools, 'node_modules', '@restatedev', platform, 'bin', 'restate-server');
  const [node, ingress, admin] = [await freePort(), await freePort(), await freePort()];
  const server = startTethered(binary, ['--no-logo', '--base-dir', home], {
    dir: home,
    env: {
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_LISTEN_MODE: 'tcp',
      RESTATE_BIND_IP: '127.0.0.1',
      RESTATE_BIND_PORT: String(node),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_LOG_FILTER: 'warn',
    },
  });
  const urlOf = (port: number) => `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_MS;
  const isReady = () =>
    fetch(`${urlOf(admin)}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (Date.now() > deadline) throw new Error(`Restate did not start:\n${server.lastLines.join('\n')}`);
    await pause(200);
  }
  return { ingress: urlOf(ingress), admin: urlOf(admin), stop: () => server.stop() };
}
