import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { waitForSignal } from '../../app/wait-for-signal.ts';
import { type LocalWorld, startLocalWorld } from '../../dev/local-world.ts';
import type { Env } from '../env.ts';
import { parsePort } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { stateDir } from './state-dir.ts';

interface Options {
  dashboardPort: number;
  apiPort: number;
  proxyPort: number;
  controlPort: number;
  json?: boolean;
}

export function devCommand(env: Env): Command {
  return new Command('dev')
    .option('--dashboard-port <n>', 'port of the dashboard; 0 picks a free one', parsePort, 0)
    .option('--api-port <n>', 'port of the HTTP API; 0 picks a free one', parsePort, 0)
    .option('--proxy-port <n>', 'port of the emulator; 0 picks a free one', parsePort, 0)
    .option('--control-port <n>', "port of the emulator's control API; 0 picks a free one", parsePort, 0)
    .option('--json', 'print one line of JSON when everything is ready')
    .action(async (options: Options) => {
      const home = stateDir(env);
      const dir = join(home, `dev-${process.pid}`);
      const signalled = waitForSignal();
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const world = await startLocalWorld({
        dir,
        cacheDir: join(home, 'cache'),
        redisUrl: env.REDIS_URL,
        // A Redis of its own outlives a run, and recognises the namespace.
        namespaceFile: join(home, 'namespace'),
        workers: 2,
        fileRoots: [process.cwd()],
        dashboardPort: options.dashboardPort,
        api: true,
        apiPort: options.apiPort,
        emulatorPorts: { proxy: options.proxyPort, control: options.controlPort },
        onStep: (line) => process.stderr.write(`${pc.dim(line)}\n`),
      });
      printAddresses(world, options);
      await signalled;
      await world.stop();
      await rm(dir, { recursive: true, force: true });
    });
}

function printAddresses({ redisUrl, emulator, dashboard, api, env }: LocalWorld, { json = false }: Options): void {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}='${value}'\n`);
  const text = `
${pc.bold('Ready.')} Settings to copy:

${exports.join('')}
export API='${api?.url}'
export KEY='${api?.key}'
export EMULATOR='${emulator.controlUrl}'

The key belongs to tenant default. With BESTFRAME_TENANT=default, the command line sees the same verifications.
Dashboard  ${dashboard?.url}  (${dashboard?.user} / ${dashboard?.password})
Emulator   ${emulator.controlUrl}  (faults, call log; docs/emulator.md)
Phone      ${emulator.controlUrl}/phone  (finishes sessions in place of an app or a web page)
Press Ctrl-C to stop.
`;
  const facts = {
    redis: redisUrl,
    emulator: emulator.controlUrl,
    proxy: emulator.proxyUrl,
    caFile: emulator.caFile,
    dashboard: dashboard?.url ?? null,
    api: api?.url ?? null,
    key: api?.key ?? null,
    env,
  };
  printResult(facts, text, { json });
}
