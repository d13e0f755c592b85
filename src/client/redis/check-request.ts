/** Parses and checks requests before anything is stored: schema, the policy of the tenant, files and hosts. */
import { Failure } from '../../domain/errors/failure.ts';
import {
  checkDemands,
  checkPlaces,
  isWalled,
  type TenantWall,
  withPolicyDefaults,
} from '../../domain/operations/tenants.ts';
import type { ResourceName } from '../../domain/verification/actions.ts';
import {
  type Lane,
  parseVerification,
  type Verification,
  type VerificationRequest,
} from '../../domain/verification/request.ts';
import { parseSession, type Session, type SessionRequest } from '../../domain/verification/session-request.ts';
import { checkSources } from './check-sources.ts';
import type { ClientOptions } from './options.ts';

/** @returns the parsed request, or the reason for its refusal. */
export async function parseRequest(
  options: ClientOptions,
  request: VerificationRequest,
  wall: TenantWall | null,
): Promise<Verification | { readonly key: string; readonly error: Failure }> {
  try {
    const complete = withPolicyDefaults(wall, withLane(request, 'batch'));
    const parsed = parseVerification(complete, Date.now(), options.demands);
    await checkRequest(options, parsed, wall);
    return parsed;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const key: unknown = request?.key;
    return { key: typeof key === 'string' ? key : '', error };
  }
}

/** @throws Failure INVALID_VERIFICATION and the source codes, with `field` */
export async function parseSessionRequest(
  options: ClientOptions,
  request: SessionRequest,
  wall: TenantWall | null,
): Promise<Session> {
  const session = parseSession(withPolicyDefaults(wall, request), Date.now(), options.demands);
  await checkRequest(options, session, wall);
  return session;
}

/**
 * The policy is asked first: for a forbidden place, nothing is looked up, so the refusal says nothing about what is there.
 * @param except resources whose sources are already checked.
 */
export async function checkRequest(
  options: ClientOptions,
  verification: Verification | Session,
  wall: TenantWall | null,
  except: readonly ResourceName[] = [],
): Promise<void> {
  checkDemands(wall, verification);
  checkPlaces(wall, verification, except);
  const within = wall === null ? {} : { within: wall.policy.fileRoots };
  await checkSources(verification, { ...options, ...within, except });
}

/** The endpoint for verifications that name none. The endpoint of the settings belongs to the deployment, not to its tenants. */
export function defaultWebhookOf(
  { webhook }: ClientOptions,
  tenant: string | null,
  wall: TenantWall | null,
): string | undefined {
  return wall?.policy.webhook ?? (isWalled(tenant) ? undefined : webhook);
}

export function withLane(request: VerificationRequest, lane: Lane): VerificationRequest {
  return typeof request === 'object' && request !== null ? { lane, ...request } : request;
}
