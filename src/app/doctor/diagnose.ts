/** Runs all checks for one configuration, in the order of the report. */
import { serves } from '../../domain/verification/actions.ts';
import { REGIONS } from '../../domain/verification/regions.ts';
import type { Config } from '../config.ts';
import { bucketChecks, noBucketCheck } from './bucket-checks.ts';
import { bucketFolders } from './bucket-folders.ts';
import { diskChecks } from './disk-checks.ts';
import { evidenceChecks } from './evidence-checks.ts';
import { liveChecks, notLiveCheck } from './live-checks.ts';
import { namespaceCheck } from './namespace-check.ts';
import { redisChecks } from './redis-checks.ts';
import { createReport, type Report } from './report.ts';
import { runChecks } from './run-checks.ts';
import type { Recorder, Tape, TapeCall } from './tape.ts';
import type { DoctorTools } from './tools.ts';
import { vendorChecks } from './vendor-checks.ts';

export interface DiagnoseOptions {
  readonly live: boolean;
  /** Receives each call of the live checks. */
  readonly record?: Recorder | undefined;
}

export async function diagnose(config: Config, tools: DoctorTools, options: DiagnoseOptions): Promise<Report> {
  const { faceId, links, transport, buckets, credentials, chain } = tools;
  const { regions, framesDir, fileRoots, spoolDir } = config;
  const folders = bucketFolders(config);
  const live = regions.find((region) => serves(region, 'CreateUploadUrl'));
  // A configured bucket is checked even if this machine's workers do not serve its region.
  const checkedRegions = REGIONS.filter((region) => regions.includes(region) || buckets.has(region));
  const checks = [
    ...redisChecks(tools.redis, `${config.prefix}:live`),
    namespaceCheck(tools.redis, config),
    ...vendorChecks({ faceId, regions, ownBuckets: buckets, credentials, chain }),
    ...checkedRegions.flatMap((region) => {
      const bucket = buckets.get(region);
      return bucket === undefined ? [noBucketCheck(region)] : bucketChecks({ region, ...bucket, links, folders });
    }),
    ...evidenceChecks(config.evidence.buckets, tools.evidence),
    ...diskChecks({ framesDir, fileRoots, spoolDir }),
    ...(options.live && live !== undefined
      ? liveChecks({ faceId, transport, region: live, record: options.record })
      : [notLiveCheck(options.live)]),
  ];
  return createReport(await runChecks(checks));
}

/** Runs the live checks alone, and records their calls. */
export async function recordTape(config: Config, tools: DoctorTools): Promise<Tape> {
  const { faceId, transport, buckets, credentials, chain } = tools;
  const region = config.regions.find((each) => serves(each, 'CreateUploadUrl')) ?? 'ap-singapore';
  const calls: TapeCall[] = [];
  await runChecks([
    ...vendorChecks({ faceId, regions: [region], ownBuckets: buckets, credentials, chain }),
    ...liveChecks({ faceId, transport, region, record: (call) => calls.push(call) }),
  ]);
  return { format: 1, region, calls };
}
