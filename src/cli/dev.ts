import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { untilSignal } from '../process.ts';
import { clearWorld, startWorld } from '../world/world.ts';
import { port } from './emulator.ts';
import { type Env, printJson } from './output.ts';
import { packageRoot } from './version.ts';

export function devCommand(env: Env): Command {
  return new Command('dev')
    .option('--dashboard-port <n>', 'port of the dashboard; 0 takes a free one', port, 0)
    .option('--api-port <n>', 'port of the HTTP API; 0 takes a free one', port, 0)
    .option('--proxy-port <n>', 'port of the emulator; 0 takes a free one', port, 0)
    .option('--control-port <n>', "port of the emulator's control API; 0 takes a free one", port, 0)
    .option('--json', 'one line of JSON on stdout once all is ready')
    .action(
      async (options: {
        dashboardPort: number;
        apiPort: number;
        proxyPort: number;
        controlPort: number;
        json?: boolean;
      }) => {
        const dir = join(packageRoot, '.bestframe', `dev-${process.pid}`);
        const signalled = untilSignal();
        await mkdir(dir, { recursive: true });
        const world = await startWorld({
          dir,
          cacheDir: join(packageRoot, '.bestframe', 'cache'),
          redisUrl: env.REDIS_URL,
          workers: 2,
          fileRoots: [process.cwd()],
          dashboardPort: options.dashboardPort,
          api: true,
          apiPort: options.apiPort,
          emulatorPorts: { proxy: options.proxyPort, control: options.controlPort },
          onStep: (line) => process.stderr.write(`${pc.dim(line)}\n`),
        });
        if (options.json) {
          const { emulator, dashboard, api } = world;
          printJson({
            redis: world.redisUrl,
            emulator: emulator.controlUrl,
            proxy: emulator.proxyUrl,
            caFile: emulator.caFile,
            dashboard: dashboard?.url ?? null,
            api: api?.url ?? null,
            key: api?.key ?? null,
            env: world.env,
          });
        } else {
          process.stdout.write(`\n${pc.bold('Ready.')} Settings to copy:\n\n${settings(world.env)}\n`);
          process.stdout.write(`HTTP API   ${world.api?.url}  (docs/http-api.md)\nKey        ${world.api?.key}\n`);
          process.stdout.write(
            `Dashboard  ${world.dashboard?.url}  (${world.dashboard?.user} / ${world.dashboard?.password})\n`,
          );
          process.stdout.write(
            `Emulator   ${world.emulator.controlUrl}  (faults, call log; docs/emulator.md)\nCtrl-C ends it.\n`,
          );
        }
        await signalled;
        await world.stop();
        await clearWorld(dir);
      },
    );
}

function settings(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('');
}
