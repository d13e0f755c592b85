import { Command } from 'commander';
import pc from 'picocolors';
import { openInstruments } from '../compose.ts';
import { checkFiles, readConfig } from '../config.ts';
import { initBucket, type Step } from '../doctor/bucket-init.ts';
import type { OwnBucket } from '../doctor/instruments.ts';
import type { Region } from '../domain/actions.ts';
import { CODES, explain } from '../domain/errors/index.ts';
import { Failure, inputFailure } from '../domain/failure.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

interface Result {
  readonly region: Region;
  readonly bucket: string;
  readonly steps: readonly Step[];
  readonly error: { readonly code: string; readonly message: string; readonly advice: string | null } | null;
}

const LIMIT_MS = 60_000;

export function bucketCommand(env: Env): Command {
  const bucket = new Command('bucket').addHelpText(
    'after',
    '\n`bestframe bucket init --help` says what it changes, and which permissions it needs.',
  );
  bucket
    .command('init')
    .description('makes the buckets of BESTFRAME_BUCKETS: there, private, without versioning, emptied after a day')
    .option('--region <region>', 'only the bucket of this region')
    .option('--json', 'JSON on stdout: {ok, buckets: [{region, bucket, steps: [{name, changed, found}], error}]}')
    .addHelpText(
      'after',
      `
What is so already is left alone; other lifecycle rules are kept. The keys need, on the buckets: name/cos:HeadBucket,
PutBucket, GetBucketACL, PutBucketACL, GetBucketVersioning, PutBucketVersioning, GetBucketLifecycle, PutBucketLifecycle.
Workers need none of these but the first. Exit codes: 0 all as they must be, 1 one could not be made so, 2 bad settings.`,
    )
    .action(async (options: { region?: string; json?: boolean }) => {
      const config = readConfig(env);
      await checkFiles(config);
      const tools = openInstruments(config);
      try {
        const chosen = chosenBuckets(tools.buckets, options.region);
        const results = [];
        for (const bucket of chosen) results.push(await init(bucket, config.objectFolder));
        const ok = results.every(({ error }) => error === null);
        if (options.json) printJson({ ok, buckets: results });
        else process.stdout.write(results.map(inWords).join('\n'));
        if (!ok) process.exitCode = EXIT.failed;
      } finally {
        await tools.close();
      }
    });
  return bucket;
}

/** @throws Failure where there is none to make. */
function chosenBuckets(buckets: ReadonlyMap<Region, OwnBucket>, region: string | undefined): OwnBucket[] {
  const chosen = [...buckets].flatMap(([where, bucket]) => (region === undefined || region === where ? [bucket] : []));
  if (chosen.length > 0) return chosen;
  const which = region === undefined ? 'no bucket' : `no bucket for ${region}`;
  const message = `BESTFRAME_BUCKETS names ${which}: write ${region ?? 'ap-singapore'}=name-appid`;
  throw inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_BUCKETS', message);
}

async function init({ settings }: OwnBucket, objectFolder: string): Promise<Result> {
  const { region, name: bucket } = settings;
  const steps: Step[] = [];
  try {
    await initBucket(settings, objectFolder, (step) => steps.push(step), AbortSignal.timeout(LIMIT_MS));
    return { region, bucket, steps, error: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, message } = error;
    return { region, bucket, steps, error: { code, message, advice: explain(code)?.advice ?? null } };
  }
}

function inWords({ region, bucket, steps, error }: Result): string {
  const lines = steps.map(
    ({ name, changed, found }) => `  ${name.padEnd(10)}  ${changed ? pc.green(found) : pc.dim(found)}\n`,
  );
  const failed = error === null ? '' : `  ${pc.red(error.code)}: ${error.message}\n  ${error.advice ?? ''}\n`;
  return `${region}  ${pc.bold(bucket)}\n${lines.join('')}${failed}`;
}
