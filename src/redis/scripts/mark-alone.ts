import type { Deployment } from '../deployment.ts';
import { type AttemptRef, fencedKeys, type WriteAnswer } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** Notes that nothing else runs in this process. If the process then dies, this verification counts as the cause. */
export async function markAlone(deployment: Deployment, attempt: AttemptRef): Promise<WriteAnswer> {
  const { journal, lock, job } = fencedKeys(deployment, attempt);
  const { token, ats } = attempt;
  const reply = await runScript(deployment.redis, 'mark-alone', { journal, lock, job }, { token, ats });
  return reply as WriteAnswer;
}
