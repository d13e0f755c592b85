/** Checks that the namespace is set, and that it is the one with which the deployment was started. Writes nothing. */
import { Failure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { RedisClient } from '../../redis/connection.ts';
import { createDeployment } from '../../redis/deployment.ts';
import { requireNamespace } from '../../redis/deployment-namespace.ts';
import type { Config } from '../config.ts';
import type { Check } from './run-checks.ts';

export function namespaceCheck(redis: RedisClient, { prefix, namespace }: Config): Check {
  return {
    name: 'namespace',
    needs: ['redis'],
    async run() {
      if (namespace === undefined) {
        const advice =
          'Run `bestframe init` once for the deployment, and set BESTFRAME_NAMESPACE for all its processes.';
        return { status: 'fail', found: 'no namespace is set', advice };
      }
      try {
        const isKnown = await requireNamespace(createDeployment(redis, prefix), namespace);
        return { status: 'ok', found: isKnown ? 'it is the deployment’s' : 'it is set; no worker has started yet' };
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== CODES.NAMESPACE_MISMATCH) throw error;
        const advice = 'Set BESTFRAME_NAMESPACE to the secret that the workers of this deployment have.';
        return { status: 'fail', found: 'it is not the deployment’s', advice };
      }
    },
  };
}
