/** Sessions of which the emulator plays the phone. */
import type { BestframeClient } from '../../src/client/redis/client.ts';
import type { Rig } from './rig.ts';

/** Runs a session with a video to its end. @returns its id. */
export async function finishedSession(
  { control }: Pick<Rig, 'control'>,
  client: BestframeClient,
  key = 'seen',
): Promise<string> {
  const { id, token } = await client.startSession({
    ...{ key, action: 'ApplyLivenessToken', region: 'ap-singapore' },
    media: ['bestFrame', 'liveVideo'],
    subject: `subject-of-${key}`,
  });
  await control.play({ token: token ?? '', step: 'finish' });
  await client.finishSession(id);
  await client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  return id;
}
