import type { Deployment } from '../deployment.ts';
import { runWithEntry } from './run-with-entry.ts';

/** Records that the stored frame was deleted. */
export async function forgetFrame(deployment: Deployment, id: string): Promise<'ok' | 'missing'> {
  const { names } = deployment;
  const keys = { journal: names.journal(id), history: names.history(id), frames: names.frames };
  const entry = { at: Date.now(), event: 'frame_deleted' } as const;
  return (await runWithEntry({ deployment, id, entry }, 'forget-frame', keys, { id })) as 'ok' | 'missing';
}
