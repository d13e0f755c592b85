import type { ResultCall } from '../../domain/verification/flows.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import { type JournalRecord, readQueued } from '../record.ts';
import { runScriptMany } from './run.ts';

export interface Feed {
  readonly region: Region;
  readonly call: ResultCall;
  /** At most this many sessions are taken, and only as many as the jobs that resume work leave room for. */
  readonly most: number;
  /** Takes only this session, whatever its deadline. Default: all that are due. */
  readonly only?: string;
}

/** A session whose job is to be added. */
export type FedSession = Pick<JournalRecord, 'id' | 'action' | 'upload' | 'lane' | 'mode' | 'turn'>;

/** Whether any session waits: one command, for deployments without sessions. */
export async function hasWaiting({ redis, names }: Deployment, feeds: readonly Feed[]): Promise<boolean> {
  const keys = feeds.flatMap(({ region, call }) => {
    const { due, ripe } = names.waits(region, call);
    return [due, ripe];
  });
  return (await redis.exists(...keys)) > 0;
}

export interface Fed {
  /** So many sessions are due that none was taken yet: call again. */
  readonly more: boolean;
  readonly sessions: readonly FedSession[];
}

/** Takes sessions that are due, those with the earliest deadline first. @returns an answer to each feed, in order. */
export async function feedSessions({ redis, names }: Deployment, feeds: readonly Feed[]): Promise<Fed[]> {
  const calls = feeds.map(({ region, call, most, only = '' }) => {
    const { due, ripe, resuming, journals, jobs } = names.waits(region, call);
    return { keys: { due, ripe, resuming }, args: { most: Math.floor(most), only, journals, jobs } };
  });
  const replies = await runScriptMany(redis, 'feed-sessions', calls);
  return replies.map((reply) => {
    if (reply instanceof Error) throw reply;
    const [more, ...flat] = reply as string[];
    const sessions = flat.flatMap((id, index) =>
      index % 3 === 0 ? [{ id, ...readQueued(flat[index + 1] ?? ''), turn: Number(flat[index + 2]) }] : [],
    );
    return { more: Number(more) === 1, sessions };
  });
}
