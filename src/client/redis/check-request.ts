/** Parses and checks requests before anything is stored: schema, the policy of the tenant, files and hosts. */
import { Failure } from '../../domain/errors/failure.ts';
import { checkDemands, checkPlaces, isWalled, type TenantWall } from '../../domain/operations/tenants.ts';
import type { ResourceName } from '../../domain/verification/actions.ts';
import { FLOWS } from '../../domain/verification/flows.ts';
import {
  checkDeadline,
  checkRequired,
  DEFAULT_SIMILARITY_THRESHOLD,
  type Lane,
  MAX_DEADLINE_MS,
  parseVerification,
  type Verification,
  type VerificationRequest,
} from '../../domain/verification/request.ts';
import { parseSession, type Session, type SessionRequest } from '../../domain/verification/session-request.ts';
import { checkSources } from './check-sources.ts';
import type { CheckedRequest, EnqueueContext } from './enqueue.ts';
import type { ClientOptions } from './options.ts';

/** @returns the checked request. If it is malformed: its key and the error, because no repetition of it can be accepted either. */
export async function parseRequest(
  options: ClientOptions,
  request: VerificationRequest,
  wall: TenantWall | null,
): Promise<CheckedRequest | { readonly key: string; readonly error: Failure }> {
  try {
    const verification = parseVerification(withLane(request, 'batch'));
    return await checkRequest(options, verification, wall);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const key: unknown = request?.key;
    return { key: typeof key === 'string' ? key : '', error };
  }
}

/** @throws Failure INVALID_VERIFICATION, with `field` */
export async function parseSessionRequest(
  options: ClientOptions,
  request: SessionRequest,
  wall: TenantWall | null,
): Promise<CheckedRequest> {
  return checkRequest(options, parseSession(request), wall);
}

/**
 * Checks what may change between a request and its repetition: the time, the settings, the policy and the sources.
 * @param except resources whose sources are already checked.
 */
export async function checkRequest(
  options: ClientOptions,
  verification: Verification | Session,
  wall: TenantWall | null,
  except: readonly ResourceName[] = [],
): Promise<CheckedRequest> {
  try {
    await checkForNow(options, verification, wall, except);
    return { verification, refusal: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { verification, refusal: error };
  }
}

/**
 * The policy is asked before the sources: for a forbidden place, nothing is looked up, so the refusal says nothing about what is
 * there.
 */
async function checkForNow(
  options: ClientOptions,
  verification: Verification | Session,
  wall: TenantWall | null,
  except: readonly ResourceName[],
): Promise<void> {
  checkRequired(verification, options.demands ?? []);
  const mostMs = 'session' in verification ? FLOWS[verification.action].resultMs : MAX_DEADLINE_MS;
  checkDeadline(verification.deadline, Date.now(), mostMs);
  checkDemands(wall, verification);
  checkPlaces(wall, verification, except);
  const within = wall === null ? {} : { within: wall.policy.fileRoots };
  await checkSources(verification, { ...options, ...within, except });
}

/**
 * What a verification gets that names no endpoint, or no threshold. The endpoint of the settings belongs to the deployment, not to its
 * tenants.
 */
export function defaultsOf(
  { webhook }: ClientOptions,
  tenant: string | null,
  wall: TenantWall | null,
): EnqueueContext['defaults'] {
  const { policy } = wall ?? {};
  return {
    webhook: policy?.webhook ?? (isWalled(tenant) ? undefined : webhook),
    similarityThreshold: policy?.similarityThreshold ?? DEFAULT_SIMILARITY_THRESHOLD,
  };
}

export function withLane(request: VerificationRequest, lane: Lane): VerificationRequest {
  return typeof request === 'object' && request !== null ? { lane, ...request } : request;
}
