/**
 * Kills a worker process with `kill -9` at each call of a session: while it asks for the token, while it asks for the result, and
 * while it moves the media. Another worker must finish all sessions, and nothing is paid twice, except a start whose answer died
 * with the worker.
 */
import { expect, it } from 'vitest';
import type { WorkerProcess } from '../../src/dev/worker-process.ts';
import type { SessionRequest } from '../../src/domain/verification/session-request.ts';
import type { Fault } from '../../src/emulator/control.ts';
import { type OpenWorker, withKillableWorkers } from '../support/killable-workers.ts';
import type { TestWorld } from '../support/world.ts';

const MANY = 4;
const SDK = 'ApplySdkVerificationToken';
const RESULT = 'GetSdkVerificationResult';
type Moment = 'start' | 'await' | 'collect' | 'download';
const REQUEST = { action: SDK, region: 'ap-singapore', parameters: { CheckMode: 3 } } as const;

const HELD: Readonly<Record<Exclude<Moment, 'await'>, Fault>> = {
  start: { kind: 'hold', times: null, action: SDK } as Fault,
  collect: { kind: 'hold', times: null, action: RESULT } as Fault,
  download: { kind: 'hold', times: null, service: 'cos', action: 'GetObject' } as Fault,
};

async function kill(victim: WorkerProcess): Promise<void> {
  victim.kill('SIGKILL');
  await victim.exited;
}

it.concurrent.each(['start', 'await', 'collect', 'download'] as const)(
  'if killed in %s, all end and nothing repeats',
  (at) => withKillableWorkers({}, (world, openWorker) => killIn(at, world, openWorker)),
);

async function killIn(at: Moment, world: TestWorld, openWorker: OpenWorker): Promise<void> {
  const victim = await openWorker();
  const sessions = Array.from(
    { length: MANY },
    (_, index): SessionRequest => ({ key: `s-${at}-${index}`, ...REQUEST }),
  );
  const ids = sessions.map(({ key }) => world.client.idOf(key));
  const hold = at === 'await' ? null : await world.control.fault(HELD[at]);

  const started = sessions.map((session) => world.client.startSession(session, { timeoutMs: 90_000 }));
  if (at === 'start') await world.control.waitFor({ event: 'held' }, MANY);
  else {
    for (const { token } of await Promise.all(started))
      await world.control.play({ token: token ?? '', step: 'finish' });
    if (at === 'await') await kill(victim);
    for (const id of ids) expect(await world.client.finishSession(id)).toBe('asked');
    if (at !== 'await') await world.control.waitFor({ event: 'held' }, MANY);
  }
  if (at !== 'await') await kill(victim);
  if (hold !== null) await world.control.release(hold);

  await openWorker();
  if (at === 'start') {
    for (const { id, token } of await Promise.all(started)) {
      await world.control.play({ token: token ?? '', step: 'finish' });
      await world.client.finishSession(id);
    }
  }
  for (const id of ids) {
    const view = await world.client.wait(id, { until: 'ended', timeoutMs: 120_000 });
    expect(view).toMatchObject({ state: 'completed', decision: 'live', frame: 'stored', paidCalls: 1 });
    expect(view?.possiblyPaidCalls).toBe(at === 'start' ? 1 : 0);
  }
  expect(await world.control.calls({ action: SDK })).toHaveLength(at === 'start' ? 2 * MANY : MANY);
}
