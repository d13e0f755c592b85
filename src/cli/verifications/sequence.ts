import { readFile, writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { readConfig } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { openSequences } from '../../app/workers.ts';
import { Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES, classify, type ErrorClass } from '../../domain/errors/index.ts';
import { regionsOf, SEQUENCE, SEQUENCE_CALL, serves } from '../../domain/verification/actions.ts';
import type { SequenceRequest } from '../../domain/verification/light-sequence.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { UPLOAD_WAYS } from '../../domain/verification/request.ts';
import type { Env } from '../env.ts';
import { formatFailure } from '../format-failure.ts';
import { printResult } from '../print.ts';

interface Options {
  out: string;
  key?: string;
  region?: Region;
  upload?: SequenceRequest['upload'];
  level?: SequenceRequest['securityLevel'];
  json?: boolean;
}

const RETRYABLE: readonly ErrorClass[] = ['transient', 'throttled', 'reupload', 'unknown'];

export function sequenceCommand(env: Env): Command {
  return new Command('sequence')
    .argument('<file>', 'device data from the liveness SDK, as Base64 text')
    .requiredOption('-o, --out <file>', 'file to write the light sequence to')
    .option('--key <key>', 'your own key: for five minutes, the same key and data return the same sequence')
    .addOption(
      new Option('--region <region>', 'default: the first of them in BESTFRAME_REGIONS').choices(
        regionsOf(SEQUENCE_CALL),
      ),
    )
    .addOption(new Option('--upload <way>', 'default: own-bucket if the region has one').choices(UPLOAD_WAYS))
    .addOption(
      new Option('--level <n>', '1 silent, 2 blinking, 3 light, 4 blinking and light (default: 4)').choices(
        SEQUENCE.levels,
      ),
    )
    .option('--json', 'print JSON: {out, bytes, md5, requestId}')
    .addHelpText(
      'after',
      `
Calls GenerateReflectSequence, which comes before the liveness check on the phone. The result is a sequence with a verified MD5,
or an error, within ten seconds. Exit code 1: try again. Exit code 2: correct the input or the account.`,
    )
    .action((file: string, options: Options) => generateSequence(env, file, options));
}

async function generateSequence(env: Env, file: string, options: Options): Promise<void> {
  const { out, key, level, json = false } = options;
  const config = readConfig(env);
  const served = config.regions.find((each) => serves(each, SEQUENCE_CALL));
  const region = options.region ?? served ?? 'ap-singapore';
  const { sequences, close } = openSequences(config, pino({ enabled: false }));
  try {
    const { bytes, md5, requestId } = await sequences.generate({
      deviceData: await readDeviceData(file),
      region,
      upload: options.upload ?? (config.buckets.has(region) ? 'own-bucket' : 'create-upload-url'),
      ...(key === undefined ? {} : { key }),
      ...(level === undefined ? {} : { securityLevel: level }),
    });
    await writeFile(out, bytes);
    const text = `${out}  ${bytes.byteLength} bytes, MD5 ${md5}, RequestId ${requestId}\n`;
    printResult({ out, bytes: bytes.byteLength, md5, requestId }, text, { json });
  } catch (error) {
    if (!(error instanceof Failure) || !RETRYABLE.includes(classify(error).class)) throw error;
    process.stderr.write(formatFailure(error, { json }));
    process.exitCode = EXIT.failed;
  } finally {
    await close();
  }
}

async function readDeviceData(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const code = isMissing ? CODES.SOURCE_MISSING : CODES.SOURCE_UNREADABLE;
    const problem = isMissing ? 'does not exist' : 'cannot be read';
    throw inputFailure(code, 'file', `the file with the device data ${problem}: give another path`);
  }
}
