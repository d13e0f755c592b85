import { Command } from 'commander';
import pc from 'picocolors';
import { checkFiles } from '../../app/check-files.ts';
import { readConfig } from '../../app/config.ts';
import { type BucketFolders, bucketFolders } from '../../app/doctor/bucket-folders.ts';
import { initBucket, type Step } from '../../app/doctor/init-bucket.ts';
import type { OwnBucket } from '../../app/doctor/tools.ts';
import { openDoctorTools } from '../../app/doctor-tools.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES, explain } from '../../domain/errors/index.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Env } from '../env.ts';
import { printResult } from '../print.ts';

interface Options {
  region?: string;
  json?: boolean;
}

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
    '\n`bestframe bucket init --help` describes the changes and the permissions that they need.',
  );
  bucket
    .command('init')
    .description(
      'set up the buckets of BESTFRAME_BUCKETS: create them, make them private, without versioning, and delete objects after a day',
    )
    .option('--region <region>', 'only the bucket of this region')
    .option('--json', 'print JSON: {ok, buckets: [{region, bucket, steps: [{name, changed, found}], error}]}')
    .addHelpText(
      'after',
      `
Steps that are already done change nothing, and other lifecycle rules are kept. The credentials need these permissions on the
buckets: name/cos:HeadBucket, PutBucket, GetBucketACL, PutBucketACL, GetBucketVersioning, PutBucketVersioning,
GetBucketLifecycle, PutBucketLifecycle. Workers need only the first.
Exit codes: 0 all buckets are set up, 1 a bucket could not be set up, 2 invalid settings.`,
    )
    .action((options: Options) => initBuckets(env, options));
  return bucket;
}

async function initBuckets(env: Env, options: Options): Promise<void> {
  const config = readConfig(env);
  await checkFiles(config);
  const tools = openDoctorTools(config);
  try {
    const buckets: Result[] = [];
    for (const bucket of selectBuckets(tools.buckets, options.region))
      buckets.push(await initOne(bucket, bucketFolders(config)));
    const ok = buckets.every(({ error }) => error === null);
    printResult({ ok, buckets }, buckets.map(formatResult).join('\n'), options);
    if (!ok) process.exitCode = EXIT.failed;
  } finally {
    await tools.close();
  }
}

/** @throws Failure INVALID_SETTINGS if no bucket is configured. */
function selectBuckets(buckets: ReadonlyMap<Region, OwnBucket>, region: string | undefined): OwnBucket[] {
  const selected = [...buckets].flatMap(([each, bucket]) => (region === undefined || region === each ? [bucket] : []));
  if (selected.length > 0) return selected;
  const missing = region === undefined ? 'no bucket' : `no bucket for ${region}`;
  const message = `BESTFRAME_BUCKETS names ${missing}: write ${region ?? 'ap-singapore'}=name-appid`;
  throw inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_BUCKETS', message);
}

async function initOne({ settings }: OwnBucket, folders: BucketFolders): Promise<Result> {
  const { region, name: bucket } = settings;
  const steps: Step[] = [];
  try {
    await initBucket(settings, folders, (step) => steps.push(step), AbortSignal.timeout(LIMIT_MS));
    return { region, bucket, steps, error: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, message } = error;
    const words = explain(code)?.advice;
    const advice = words?.operator || words?.caller || null;
    return { region, bucket, steps, error: { code, message, advice } };
  }
}

function formatResult({ region, bucket, steps, error }: Result): string {
  const lines = steps.map(
    ({ name, changed, found }) => `  ${name.padEnd(10)}  ${changed ? pc.green(found) : pc.dim(found)}\n`,
  );
  const failure = error === null ? '' : `  ${pc.red(error.code)}: ${error.message}\n  ${error.advice ?? ''}\n`;
  return `${region}  ${pc.bold(bucket)}\n${lines.join('')}${failure}`;
}
