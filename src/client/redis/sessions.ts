/** Sessions: the token for the phone or page, and the report that the person has finished. */
import { FLOWS, isFlow } from '../../domain/verification/flows.ts';
import { isTerminal } from '../../domain/verification/states.ts';
import { readJournal } from '../../redis/read-records.ts';
import { feedSessions } from '../../redis/scripts/feed-sessions.ts';
import { reportFinished } from '../../redis/scripts/report-finished.ts';
import { resultJob } from '../../redis/verify-queue.ts';
import type { Enqueued, FinishStatus, StartedSession } from '../contract.ts';
import type { Store } from './store.ts';

const NO_TOKEN = { token: null, url: null, serverParamInfo: null, startBy: null } as const;

/** Reads the token of a session. @returns `done` if there is one, or there will be none. */
export async function readToken(
  store: Store,
  enqueued: Enqueued,
): Promise<{ readonly done: boolean; readonly value: StartedSession }> {
  const record = await store.command(readJournal(store.deployment, enqueued.id));
  if (record === null || !isFlow(record.action)) return { done: true, value: { ...enqueued, ...NO_TOKEN } };
  const { state, action, outcomes } = record;
  const { start } = outcomes;
  if (start === undefined) {
    const value = { ...enqueued, state, ...NO_TOKEN };
    return { done: isTerminal(state) || state === 'held', value };
  }
  const startBy = new Date(start.at + FLOWS[action].startMs).toISOString();
  const { token, url = null, serverParamInfo = null } = start;
  return { done: true, value: { ...enqueued, state, token, url, serverParamInfo, startBy } };
}

/** Notes that the person has finished, and adds the job that asks for the result. If this process dies first, the feeder adds it. */
export async function finishOne(store: Store, id: string): Promise<FinishStatus> {
  const view = await store.view(id);
  if (view === null) return 'missing';
  const { action, region } = view;
  if (!isFlow(action)) return 'no_session';
  const call = FLOWS[action].resultCall;
  const { deployment } = store;
  const { status } = await store.command(reportFinished(deployment, { id, region, call }));
  if (status === 'waiting') {
    const [fed] = await store.command(feedSessions(deployment, [{ region, call, most: 0, only: id }]));
    for (const session of fed?.sessions ?? []) {
      const { name, data, opts } = resultJob(session, call);
      await store.command(store.queue(region).add(name, data, opts));
    }
  }
  return status === 'waiting' || status === 'running' ? 'asked' : status;
}
