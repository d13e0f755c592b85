/**
 * The mode of a deployment. The first worker that passes its checks sets the mode, which then never changes by itself. A worker
 * or client whose mode is not the deployment's gets an error before it does anything.
 */
import { inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { MODES, type Mode } from '../domain/verification/mode.ts';
import type { Deployment } from './deployment.ts';

type Store = Pick<Deployment, 'redis' | 'names'>;

/**
 * Sets the mode of the deployment if it has none yet. Call this after the worker's checks: a worker that cannot start must not
 * set the mode.
 * @throws Failure MODE_MISMATCH, like `requireMode`.
 */
export async function recordMode(deployment: Store, mode: Mode): Promise<void> {
  await deployment.redis.set(deployment.names.mode, mode, 'NX');
  await requireMode(deployment, mode);
}

/** @throws Failure MODE_MISMATCH if the deployment's mode is not `mode`: the worker would refuse every verification. */
export async function requireMode(deployment: Store, mode: Mode): Promise<void> {
  const { names } = deployment;
  const deployed = (await readMode(deployment)) ?? mode;
  if (deployed === mode) return;
  const message = `BESTFRAME_MODE is ${mode}, and this deployment runs in mode ${deployed}: give each mode its own BESTFRAME_PREFIX. If the deployment changes its mode for good, delete the key ${names.mode} first`;
  throw inputFailure(CODES.MODE_MISMATCH, 'BESTFRAME_MODE', message);
}

/** @returns null if no worker has started yet. */
export async function readMode({ redis, names }: Store): Promise<Mode | null> {
  const stored = await redis.get(names.mode);
  return MODES.find((mode) => mode === stored) ?? null;
}
