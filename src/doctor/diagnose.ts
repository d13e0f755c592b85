/** All checks of one set of settings, in the order in which they are told. */
import type { Config } from '../config.ts';
import { REGIONS } from '../domain/actions.ts';
import { bucketChecks, noBucketCheck } from './bucket-checks.ts';
import { runChecks } from './check.ts';
import { diskChecks } from './disk-checks.ts';
import type { Instruments } from './instruments.ts';
import { liveChecks, notLiveCheck } from './live-checks.ts';
import { redisChecks } from './redis-checks.ts';
import { type Report, reportOf } from './report.ts';
import { vendorChecks } from './vendor-checks.ts';

export async function diagnose(config: Config, tools: Instruments, options: { live: boolean }): Promise<Report> {
  const { faceId, links, transport, buckets } = tools;
  const { regions, objectFolder, framesDir, fileRoots } = config;
  const [first = 'ap-singapore'] = regions;
  // A bucket of a region that this machine's workers do not serve is looked at too: it is in the settings.
  const places = REGIONS.filter((region) => regions.includes(region) || buckets.has(region));
  const checks = [
    ...redisChecks(tools.redis, `${config.prefix}:live`),
    ...vendorChecks({ faceId, regions, ownBuckets: buckets }),
    ...places.flatMap((region) => {
      const bucket = buckets.get(region);
      return bucket === undefined ? [noBucketCheck(region)] : bucketChecks({ region, ...bucket, links, objectFolder });
    }),
    ...diskChecks({ framesDir, fileRoots }),
    ...(options.live ? liveChecks({ faceId, transport, region: first }) : [notLiveCheck]),
  ];
  return reportOf(await runChecks(checks));
}
