import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { parseTape } from '../../app/doctor/tape.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { waitForSignal } from '../../app/wait-for-signal.ts';
import { compareWithEmulator } from '../../dev/compare-tape.ts';
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { type Emulator, startEmulator } from '../../emulator/index.ts';
import type { Env } from '../env.ts';
import { parseCount, parsePort } from '../parse-options.ts';
import { printResult } from '../print.ts';

interface Options {
  host: string;
  port: number;
  controlPort: number;
  metadataPort: number;
  dir: string;
  linkTtl: number;
  temporaryKeys?: number;
  compare?: string;
  json?: boolean;
}

/** STS issues keys for twelve hours at most. */
const MAX_KEY_LIFE_S = 43_200;

export function emulatorCommand(_env: Env): Command {
  return new Command('emulator')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port of the HTTPS proxy; 0 picks a free one', parsePort, 0)
    .option('--control-port <n>', 'port of the control API; 0 picks a free one', parsePort, 0)
    .option('--metadata-port <n>', 'port of the metadata service of a CVM instance; 0 picks a free one', parsePort, 0)
    .option('--dir <folder>', 'folder for the CA, the objects and the call log', join('.bestframe', 'emulator'))
    .option('--link-ttl <seconds>', 'lifetime of links', Number, 7_200)
    .option(
      '--temporary-keys <seconds>',
      'also print temporary keys with a token, which expire after this time',
      parseCount(MAX_KEY_LIFE_S),
    )
    .option('--compare <tape>', 'compare a tape of `bestframe doctor --live --tape` with the emulator, and exit')
    .option('--json', 'print one line of JSON when the emulator is ready, or the differences of --compare')
    .addHelpText(
      'after',
      `
--compare makes the tape's calls to a fresh emulator and prints each difference. With --json it prints
{ok, differences: [{step, where, tape, emulator}]}. Exit codes: 0 no difference, 1 differences, 2 not a tape.`,
    )
    .action(async (options: Options) => {
      if (options.compare !== undefined) return compareTape(options.compare, options);
      const signalled = waitForSignal();
      const { dir, host, port: proxyPort, controlPort, metadataPort, linkTtl } = options;
      const settings = { linkTtlMs: linkTtl * 1_000 };
      const emulator = await startEmulator({ dir, host, proxyPort, controlPort, metadataPort, settings });
      printAddresses(emulator, options);
      await signalled;
      await emulator.close();
    });
}

async function compareTape(file: string, { json = false }: Options): Promise<void> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw localFailure(CODES.INVALID_TAPE, 'the tape cannot be read: correct its path', { field: '--compare', cause });
  });
  const differences = await compareWithEmulator(parseTape(text));
  const lines = differences.map(
    ({ step, where, tape, emulator }) => `${step}  ${where}: ${tape}, emulator: ${emulator}\n`,
  );
  const summary = differences.length === 0 ? 'no difference\n' : `number of differences: ${differences.length}\n`;
  printResult({ ok: differences.length === 0, differences }, `${lines.join('')}${summary}`, { json });
  if (differences.length > 0) process.exitCode = EXIT.failed;
}

function printAddresses(emulator: Emulator, { temporaryKeys, json = false }: Options): void {
  const { proxyUrl, controlUrl, metadataUrl, caFile, logFile, credentials, buckets } = emulator;
  const issued = temporaryKeys === undefined ? null : emulator.issueKeys(temporaryKeys * 1_000);
  const temporary = issued && { ...issued, expiresAt: new Date(issued.expiresAt).toISOString() };
  const lines = [
    `proxy        ${proxyUrl}`,
    `control      ${controlUrl}`,
    `phone        ${controlUrl}/phone`,
    `metadata     ${metadataUrl}`,
    `CA file      ${caFile}`,
    `call log     ${logFile}`,
    `credentials  ${credentials.secretId} / ${credentials.secretKey}`,
    ...(temporary === null
      ? []
      : [
          `temporary    ${temporary.secretId} / ${temporary.secretKey}, until ${temporary.expiresAt}`,
          `token        ${temporary.token}`,
        ]),
    `buckets      ${buckets.map(({ region, name }) => `${region}=${name}`).join(',')}`,
  ];
  const facts = {
    proxy: proxyUrl,
    control: controlUrl,
    metadata: metadataUrl,
    caFile,
    log: logFile,
    credentials,
    ...(temporary === null ? {} : { temporary }),
    buckets,
  };
  printResult(facts, `${lines.join('\n')}\n`, { json });
}
