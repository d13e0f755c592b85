/**
 * Obtains the keys from their source, and checks credentials, clock and permissions with one call per region: CreateUploadUrl, or
 * where Tencent does not offer it, GetSdkVerificationResult for a token that does not exist. The call is signed, is never billed,
 * and leaves nothing behind.
 */

import type { Keys } from '../../adapters/credentials/keys.ts';
import type { FaceIdClient, Inspection } from '../../adapters/faceid/index.ts';
import { classify } from '../../domain/errors/index.ts';
import { serves } from '../../domain/verification/actions.ts';
import { DEFAULT_POLICY } from '../../domain/verification/policy.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { type Check, type Finding, failed } from './run-checks.ts';
import type { DoctorTools } from './tools.ts';

/** If the clock is off by this much or more, Tencent refuses every call. */
const REFUSED_CLOCK_S = 300;
/** If the clock is this far behind, links to a bucket of the company have expired when FaceID receives them. */
const EXPIRED_LINK_CLOCK_S = DEFAULT_POLICY.callMs.interactive / 1_000;
const WARN_CLOCK_S = 5;

interface Probe {
  readonly call: 'CreateUploadUrl' | 'GetSdkVerificationResult';
  readonly parameters: Readonly<Record<string, string>>;
  /** The code that stands for success; null: the call succeeds. */
  readonly refusal: RegExp | null;
}
const LINKS: Probe = {
  call: 'CreateUploadUrl',
  parameters: { TargetAction: 'DetectReflectLivenessAndCompare' },
  refusal: null,
};
const RESULT: Probe = {
  call: 'GetSdkVerificationResult',
  parameters: { SdkToken: '00000000-0000-0000-0000-000000000000' },
  refusal: /^InvalidParameter/,
};
const probeOf = (region: Region) => (serves(region, LINKS.call) ? LINKS : RESULT);

export interface VendorCheckOptions extends Pick<DoctorTools, 'credentials' | 'chain'> {
  readonly faceId: FaceIdClient;
  readonly regions: readonly Region[];
  /** Regions where uploads do not need CreateUploadUrl. */
  readonly ownBuckets: ReadonlyMap<Region, unknown>;
}

export function vendorChecks({ faceId, regions, ownBuckets, credentials, chain }: VendorCheckOptions): Check[] {
  const calls = new Map<Region, Promise<Inspection>>();
  function call(region: Region, signal: AbortSignal): Promise<Inspection> {
    const probe = probeOf(region);
    const inspected = calls.get(region) ?? faceId.inspect(probe.call, region, probe.parameters, signal);
    calls.set(region, inspected);
    return inspected;
  }
  const [first = 'ap-singapore'] = regions;
  return [
    { name: 'credentials.source', run: async () => sourceFinding(await credentials.get(), chain) },
    {
      name: 'credentials',
      needs: ['credentials.source'],
      run: async (signal) => credentialsFinding(await call(first, signal)),
    },
    {
      name: 'clock',
      after: ['credentials'],
      run: async (signal) => clockFinding(await call(first, signal), ownBuckets.size > 0),
    },
    ...regions.map((region) => ({
      name: `faceid.${region}`,
      needs: ['credentials'],
      run: async (signal: AbortSignal) =>
        permissionFinding(await call(region, signal), probeOf(region), ownBuckets.has(region)),
    })),
  ];
}

/** Says which source of the chain is used, and until when its keys are valid. */
function sourceFinding({ token, expiresAt }: Keys, chain: VendorCheckOptions['chain']): Finding {
  const role = chain?.assumesRole === true ? ', with which a role was assumed' : '';
  const source = `from the ${chain?.source ?? 'settings'}${role}`;
  if (expiresAt !== undefined)
    return { status: 'ok', found: `${source}; valid until ${new Date(expiresAt).toISOString()}` };
  if (token === undefined) return { status: 'ok', found: `${source}; they do not expire` };
  const advice =
    'Use a source that renews its keys, e.g. BESTFRAME_CREDENTIALS_FILE or BESTFRAME_ROLE_ARN: workers stop when they expire.';
  return { status: 'warn', found: `${source}; temporary keys, whose end is not known`, advice };
}

/** An error other than AuthFailure means that Tencent accepted the credentials. */
function credentialsFinding({ reply, failure }: Inspection): Finding {
  if (failure === null) return { status: 'ok', found: `a signed call succeeded (RequestId ${requestId(reply)})` };
  const accepted = failure.channel === 'error' && !failure.code.startsWith('AuthFailure');
  if (!accepted) return failed(failure);
  return {
    status: 'ok',
    found: `the credentials are accepted (${failure.code}, RequestId ${failure.requestId ?? 'none'})`,
  };
}

function clockFinding({ clockAheadMs }: Inspection, ownBuckets: boolean): Finding {
  if (clockAheadMs === null) {
    return { status: 'skipped', found: 'not checked: Tencent did not answer, or its answer has no Date' };
  }
  const seconds = Math.round(clockAheadMs / 1_000);
  if (Math.abs(seconds) <= 1) return { status: 'ok', found: 'within a second of Tencent’s clock' };
  const found = `${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} Tencent’s clock`;
  if (Math.abs(seconds) < WARN_CLOCK_S) return { status: 'ok', found };
  const isRefused = Math.abs(seconds) >= REFUSED_CLOCK_S;
  const linksExpire = ownBuckets && seconds >= EXPIRED_LINK_CLOCK_S;
  const advice = isRefused
    ? 'Synchronize the clock with NTP: Tencent refuses calls that are 5 minutes or more off.'
    : `Synchronize the clock with NTP: at ${EXPIRED_LINK_CLOCK_S} s behind, links have expired when FaceID gets them; at 5 minutes, every call is refused.`;
  return { status: isRefused || linksExpire ? 'fail' : 'warn', found, advice };
}

function permissionFinding({ failure, reply }: Inspection, { call, refusal }: Probe, hasBucket: boolean): Finding {
  if (failure === null || refusal?.test(failure.code) === true) {
    const id = failure === null ? requestId(reply) : (failure.requestId ?? 'none');
    return { status: 'ok', found: `${call} is allowed (RequestId ${id})` };
  }
  const finding = failed(failure, call);
  if (classify(failure).class === 'throttled') return { ...finding, status: 'warn' };
  if (!failure.code.startsWith('UnauthorizedOperation') || !hasBucket) return finding;
  const advice = 'Grant faceid:CreateUploadUrl, or use only the upload way own-bucket, which this region supports.';
  return { ...finding, status: 'warn', advice };
}

function requestId(reply: Inspection['reply']): string {
  return typeof reply?.RequestId === 'string' ? reply.RequestId : 'none';
}
