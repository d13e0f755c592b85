import { readFile, writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { pino } from 'pino';
import { openSequences } from '../compose.ts';
import { readConfig } from '../config.ts';
import { REGIONS, type Region, SEQUENCE } from '../domain/actions.ts';
import { CODES, classify } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import type { SequenceRequest } from '../domain/sequences.ts';
import { UPLOAD_WAYS } from '../domain/verification.ts';
import { EXIT } from '../process.ts';
import { type Env, failureInWords, printJson } from './output.ts';

interface Options {
  out: string;
  key?: string;
  region?: Region;
  upload?: SequenceRequest['upload'];
  level?: SequenceRequest['securityLevel'];
  json?: boolean;
}

export function sequenceCommand(env: Env): Command {
  return new Command('sequence')
    .argument('<file>', 'device data as the liveness SDK gave it: Base64 text')
    .requiredOption('-o, --out <file>', 'where the light sequence goes')
    .option('--key <key>', 'your own key: for five minutes, the same key and data have the same sequence')
    .addOption(new Option('--region <region>', 'default: the first of BESTFRAME_REGIONS').choices(REGIONS))
    .addOption(new Option('--upload <way>', 'default: own-bucket where the region has one').choices(UPLOAD_WAYS))
    .addOption(
      new Option('--level <n>', '1 silent, 2 blinking, 3 light, 4 blinking and light (default: 4)').choices(
        SEQUENCE.levels,
      ),
    )
    .option('--json', 'JSON on stdout: {out, bytes, md5, requestId}')
    .addHelpText(
      'after',
      `
GenerateReflectSequence, the call that comes before the phone's liveness check: within ten seconds there is a sequence, its MD5
checked, or the reason why there is none. Exit code 1 where asking again may help, 2 where the input or the account must be mended.`,
    )
    .action(async (file: string, options: Options) => {
      const config = readConfig(env);
      const region = options.region ?? config.regions[0] ?? 'ap-singapore';
      const { sequences, close } = openSequences(config, pino({ enabled: false }));
      try {
        const { bytes, md5, requestId } = await sequences.generate({
          deviceData: await contentOf(file),
          region,
          upload: options.upload ?? (config.buckets.has(region) ? 'own-bucket' : 'create-upload-url'),
          ...(options.key === undefined ? {} : { key: options.key }),
          ...(options.level === undefined ? {} : { securityLevel: options.level }),
        });
        await writeFile(options.out, bytes);
        if (options.json) printJson({ out: options.out, bytes: bytes.byteLength, md5, requestId });
        else process.stdout.write(`${options.out}  ${bytes.byteLength} bytes, MD5 ${md5}, RequestId ${requestId}\n`);
      } catch (error) {
        if (
          !(error instanceof Failure) ||
          !['transient', 'throttled', 'reupload', 'unknown'].includes(classify(error).class)
        )
          throw error;
        process.stderr.write(failureInWords(error, options.json === true));
        process.exitCode = EXIT.failed;
      } finally {
        await close();
      }
    });
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const code = missing ? CODES.SOURCE_MISSING : CODES.SOURCE_UNREADABLE;
    throw inputFailure(
      code,
      'file',
      `the file with the device data ${missing ? 'is not there' : 'cannot be read'}: give another path`,
    );
  }
}
