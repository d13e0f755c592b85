/**
 * Keys, clock and permissions, by CreateUploadUrl: signed, and never billed. It only hands out links, so nothing is left
 * behind. One call a region.
 */
import type { Region } from '../domain/actions.ts';
import { classify } from '../domain/errors/index.ts';
import { DEFAULT_POLICY } from '../domain/policy.ts';
import type { FaceIdClient, Inspected } from '../tencent/index.ts';
import { type Check, type Finding, failed } from './check.ts';

/** From here on the vendor refuses every call. */
const REFUSED_CLOCK_S = 300;
/** From here on, on a clock that is behind, links to the own bucket are dead when FaceID gets them. */
const DEAD_LINK_CLOCK_S = DEFAULT_POLICY.callMs.interactive / 1_000;
const NOTABLE_CLOCK_S = 5;
const TARGET = 'DetectReflectLivenessAndCompare';

export interface VendorOptions {
  readonly faceId: FaceIdClient;
  readonly regions: readonly Region[];
  /** Regions in which uploads may do without CreateUploadUrl. */
  readonly ownBuckets: ReadonlyMap<Region, unknown>;
}

export function vendorChecks({ faceId, regions, ownBuckets }: VendorOptions): Check[] {
  const calls = new Map<Region, Promise<Inspected>>();
  function call(region: Region, signal: AbortSignal): Promise<Inspected> {
    const known = calls.get(region) ?? faceId.inspect('CreateUploadUrl', region, { TargetAction: TARGET }, signal);
    calls.set(region, known);
    return known;
  }
  const [first = 'ap-singapore'] = regions;
  return [
    { name: 'credentials', run: async (signal) => keysFinding(await call(first, signal)) },
    {
      name: 'clock',
      after: ['credentials'],
      run: async (signal) => clockFinding(await call(first, signal), ownBuckets.size > 0),
    },
    ...regions.map((region) => ({
      name: `faceid.${region}`,
      needs: ['credentials'],
      run: async (signal: AbortSignal) => permissionFinding(await call(region, signal), ownBuckets.has(region)),
    })),
  ];
}

/** Whoever is refused something else has been recognised. */
function keysFinding({ reply, failure }: Inspected): Finding {
  if (failure === null) return { status: 'ok', found: `a signed call was answered (RequestId ${requestId(reply)})` };
  const known = failure.channel === 'error' && !failure.code.startsWith('AuthFailure');
  if (!known) return failed(failure);
  return { status: 'ok', found: `the keys are known (${failure.code}, RequestId ${failure.requestId ?? 'none'})` };
}

function clockFinding({ clockAheadMs }: Inspected, ownBuckets: boolean): Finding {
  if (clockAheadMs === null) {
    return { status: 'skipped', found: 'not looked at: the vendor did not answer, or without its time' };
  }
  const seconds = Math.round(clockAheadMs / 1_000);
  if (Math.abs(seconds) <= 1) return { status: 'ok', found: 'within a second of the vendor’s' };
  const found = `this machine’s clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} the vendor’s`;
  if (Math.abs(seconds) < NOTABLE_CLOCK_S) return { status: 'ok', found };
  const refused = Math.abs(seconds) >= REFUSED_CLOCK_S;
  const dead = ownBuckets && seconds >= DEAD_LINK_CLOCK_S;
  const advice = refused
    ? 'Set it by NTP: from 5 minutes on every call is refused.'
    : `Set it by NTP: a clock that is ${DEAD_LINK_CLOCK_S} s behind gives FaceID links that have ended, and 5 minutes are refused.`;
  return { status: refused || dead ? 'fail' : 'warn', found, advice };
}

function permissionFinding({ failure, reply }: Inspected, hasBucket: boolean): Finding {
  if (failure === null) {
    return { status: 'ok', found: `CreateUploadUrl is permitted (RequestId ${requestId(reply)})` };
  }
  const finding = failed(failure, 'CreateUploadUrl');
  if (classify(failure).class === 'throttled') return { ...finding, status: 'warn' };
  if (!failure.code.startsWith('UnauthorizedOperation') || !hasBucket) return finding;
  const advice = 'Permit faceid:CreateUploadUrl, or use upload way own-bucket only, as this region can.';
  return { ...finding, status: 'warn', advice };
}

function requestId(reply: Inspected['reply']): string {
  return typeof reply?.RequestId === 'string' ? reply.RequestId : 'none';
}
