import type { Deployment } from '../deployment.ts';
import { entryText } from './attempt-ref.ts';
import { runScript } from './run.ts';

/** Records that the stored frame was deleted. */
export async function forgetFrame(deployment: Deployment, id: string): Promise<'ok' | 'missing'> {
  const { redis, names } = deployment;
  const keys = { journal: names.journal(id), history: names.history(id), frames: names.frames };
  const entry = entryText(deployment, id, { at: Date.now(), event: 'frame_deleted' });
  return (await runScript(redis, 'forget-frame', keys, { id, entry })) as 'ok' | 'missing';
}
