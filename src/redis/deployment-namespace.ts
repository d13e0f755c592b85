/**
 * The check value of the deployment's namespace. The first process that computes ids records it. Every other process compares its
 * own namespace: another one would give other ids, so the same key would be paid for twice, and receipts would not be found.
 */
import { inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { Mode } from '../domain/verification/mode.ts';
import { namespaceCheck, namespaceProblem } from '../domain/verification/namespace.ts';
import type { Deployment } from './deployment.ts';
import { readMode } from './deployment-mode.ts';

type Store = Pick<Deployment, 'redis' | 'names'>;

/** @throws Failure NAMESPACE_MISMATCH naming `field`. @returns whether a check value is recorded. */
export async function requireNamespace(
  { redis, names }: Store,
  namespace: string,
  field = 'BESTFRAME_NAMESPACE',
): Promise<boolean> {
  const recorded = await redis.get(names.namespace);
  if (recorded === null) return false;
  if (recorded === namespaceCheck(namespace)) return true;
  const message = `${field} is not the secret that this deployment was started with: give that one. If it is lost for good, delete the key ${names.namespace}; then equal keys get new ids`;
  throw inputFailure(CODES.NAMESPACE_MISMATCH, field, message);
}

/**
 * Records the check value, unless one is recorded.
 * @param mode null: the mode of the deployment; live until its first worker has started.
 * @throws Failure NAMESPACE_MISMATCH; INVALID_SETTINGS if the namespace can be guessed and the mode is live
 */
export async function recordNamespace(
  deployment: Store,
  namespace: string,
  mode: Mode | null,
  field = 'BESTFRAME_NAMESPACE',
): Promise<void> {
  if (await requireNamespace(deployment, namespace, field)) return;
  const effective = mode ?? (await readMode(deployment)) ?? 'live';
  const problem = effective === 'live' ? namespaceProblem(namespace) : null;
  if (problem !== null) throw inputFailure(CODES.INVALID_SETTINGS, field, `${field} ${problem}`);
  const { redis, names } = deployment;
  await redis.set(names.namespace, namespaceCheck(namespace), 'NX');
  await requireNamespace(deployment, namespace, field);
}
