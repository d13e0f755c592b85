import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { startEmulator } from '../emulator/index.ts';
import { untilSignal } from '../process.ts';
import { type Env, printJson } from './output.ts';

export function emulatorCommand(_env: Env): Command {
  return new Command('emulator')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port of the HTTPS proxy; 0 takes a free one', port, 0)
    .option('--control-port <n>', 'port of the control API; 0 takes a free one', port, 0)
    .option('--dir <folder>', 'where CA, objects and call log lie', join('.bestframe', 'emulator'))
    .option('--link-ttl <seconds>', 'life of links', Number, 7_200)
    .option('--json', 'one line of JSON on stdout once it is ready')
    .action(
      async (options: {
        host: string;
        port: number;
        controlPort: number;
        dir: string;
        linkTtl: number;
        json?: boolean;
      }) => {
        const signalled = untilSignal();
        const { dir, host, port: proxyPort, controlPort, linkTtl } = options;
        const emulator = await startEmulator({
          dir,
          host,
          proxyPort,
          controlPort,
          settings: { linkTtlMs: linkTtl * 1_000 },
        });
        const { proxyUrl, controlUrl, caFile, logFile, credentials, buckets } = emulator;
        if (options.json)
          printJson({ proxy: proxyUrl, control: controlUrl, caFile, log: logFile, credentials, buckets });
        else {
          process.stdout.write(
            `proxy    ${proxyUrl}\ncontrol  ${controlUrl}\nCA file  ${caFile}\ncalls    ${logFile}\n`,
          );
          process.stdout.write(
            `credentials ${credentials.secretId} / ${credentials.secretKey}\nbuckets  ${buckets.map((b) => `${b.region}=${b.name}`).join(',')}\n`,
          );
        }
        await signalled;
        await emulator.close();
      },
    );
}

export function port(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError('give a port from 0 to 65535');
}
