/** The actors of a session: a worker that asks for its result, the feeder, and the caller that reports the end. */
import { parseSession } from '../../../src/domain/verification/session-request.ts';
import { claimFields } from '../../../src/redis/record.ts';
import { claimVerifications } from '../../../src/redis/scripts/claim-verification.ts';
import { feedSessions } from '../../../src/redis/scripts/feed-sessions.ts';
import { parkSession } from '../../../src/redis/scripts/park-session.ts';
import { recordResult } from '../../../src/redis/scripts/record-result.ts';
import { reportFinished } from '../../../src/redis/scripts/report-finished.ts';
import { Sealer } from '../../../src/redis/sealer.ts';
import type { Actor, Sketch } from '../step.ts';
import { ACTION, LIFE_MS, type Local, REGION, START, type World } from '../world.ts';
import { once } from './outside.ts';
import { lose, ref, type WorkerLocal } from './worker.ts';
import { afterRefusal } from './worker-stages.ts';

const FLOW = 'ApplyLivenessToken';
const CALL = 'GetLivenessResult';
const ASK_AGAIN_MS = 30_000;
const SOON_MS = 1_000;

/** What the start call returned. */
export const STARTED = {
  token: 'token',
  at: START,
  requestId: null,
  charge: { currency: '', micros: 0, day: 'day', month: 'month' },
} as const;

/** A producer of a session. */
export function sessionProducer(id = 'a'): Actor {
  return once('producer', id, (world, { pc }) => {
    if (pc === '0') return [claims(id)];
    if (pc !== 'adds') return [];
    const touches = [`queue:${id}`, world.names.job(REGION, id).job];
    const act: Sketch<Local>['act'] = ({ facts, local }) => {
      Object.assign(facts, { queue: 'waiting', acknowledged: true });
      local.pc = 'done';
    };
    return [{ does: 'adds the job', touches, act }];
  });
}

function claims(id: string): Sketch<Local> {
  return {
    does: 'claims the key',
    act: async ({ local, script }) => {
      const session = parseSession({ key: 'k', action: FLOW, region: REGION });
      const owner = { mode: 'test', tenant: null, subject: null } as const;
      const claim = {
        ...({
          id,
          region: REGION,
          action: ACTION,
          lane: 'interactive',
          fingerprint: 'payload',
          deadline: null,
        } as const),
        ...{ lifeMs: LIFE_MS, expressHoldMs: 15_000, subject: null, subjectLifeMs: 0, tenant: null, weight: 1 },
        ...{
          quotas: null,
          needs: [],
          fields: claimFields(id, { ...session, similarityThreshold: 70 }, owner, new Sealer()),
        },
      };
      await script((deployment) => claimVerifications(deployment, [claim]));
      local.pc = 'adds';
    },
  };
}

/** The steps of an attempt that has a token: it asks, and records the result or sets the session aside. */
export function* collecting(local: WorkerLocal, id: string): Generator<Sketch<WorkerLocal>> {
  if (local.pc === 'collects') yield recordsResult(id);
  yield parks(id);
}

function parks(id: string): Sketch<WorkerLocal> {
  return {
    does: 'finds no result, and sets it aside',
    act: async ({ local, script }) => {
      const parking = { generation: local.gen, call: CALL, delayMs: ASK_AGAIN_MS, askedFrom: local.begunAt } as const;
      const answer = await script((deployment) =>
        parkSession(deployment, ref(local, id), {
          ...parking,
          ...{ soonMs: SOON_MS, countAttempt: false, reason: null, entry: null },
        }),
      );
      if (answer === 'ok') local.pc = 'leaves';
      else afterRefusal(local, answer);
    },
  };
}

function recordsResult(id: string): Sketch<WorkerLocal> {
  return {
    does: 'records the result',
    act: async ({ world, local, script }) => {
      const session = { chargeCount: 1, tries: 1, deviceRisk: null, livenessTags: [] };
      // Each attempt finds another result, so that a second decision shows.
      const similarity = 10 * local.gen + local.ats;
      const decided = { decision: 'live', result: 'Result.0', requestId: null, billed: true, bestFrame: null } as const;
      const answer = await script((deployment) =>
        recordResult(deployment, ref(local, id), {
          ...{ generation: local.gen, decided: { ...decided, similarity, session }, reason: null, frame: 'none' },
          ...{ billedChecks: 1, charge: STARTED.charge, entry: { at: world.clock, event: 'done' }, notify: undefined },
          passed: { dependencies: [], windowMs: 5_000 },
        }),
      );
      if (answer === 'ok') Object.assign(local, { decided: true, pc: 'settles' });
      else if (answer === 'ended') local.pc = 'finishes';
      else lose(local);
    },
  };
}

/** Takes sessions that are due, and adds their jobs. @param dies whether it may be killed in between */
export function feeder(name = 'feeder', { id = 'a', dies = false }: { id?: string; dies?: boolean } = {}): Actor {
  return once(
    name,
    id,
    (world, { pc }) => {
      const job = world.names.job(REGION, id).job;
      const touches = [`queue:${id}`, job, world.names.journal(id), 'left:feeds'];
      if (pc === '0')
        return mayFeed(world, id) ? [{ does: 'takes what is due', touches, readsClock: true, act: takes(id) }] : [];
      if (pc !== 'adds') return [];
      const act: Sketch<Local>['act'] = ({ world, local, facts }) => {
        // BullMQ ignores a job whose id exists.
        if (world.startsOf(id) === 0 && facts.queue === 'none') {
          world.setField(job, 'ats', '0');
          facts.queue = 'waiting';
        }
        local.pc = '0';
      };
      const dying = { does: 'dies', act: ({ local }: { local: Local }) => void Object.assign(local, { pc: 'dead' }) };
      return [{ does: 'adds the job', touches, act }, ...(dies ? [dying] : [])];
    },
    ['0'],
  );
}

function mayFeed(world: World, id: string): boolean {
  const { due, ripe } = world.names.waits(REGION, CALL);
  const entries = [due, ripe].flatMap((key) => world.snapshot[key]?.items ?? []);
  return entries.includes(id) && (world.left.feeds ?? 0) > 0;
}

function takes(id: string): Sketch<Local>['act'] {
  return async ({ world, local, script }) => {
    world.left.feeds = (world.left.feeds ?? 0) - 1;
    const [fed] = await script((deployment) => feedSessions(deployment, [{ region: REGION, call: CALL, most: 10 }]));
    if (fed?.sessions.some((session) => session.id === id)) local.pc = 'adds';
  };
}

/** A caller that reports once that the person has finished. */
export function finisher(id = 'a'): Actor {
  return once('caller', id, (_world, { pc }) => (pc === '0' ? [finishes(id)] : []), ['0']);
}

function finishes(id: string): Sketch<Local> {
  return {
    does: 'reports the end',
    act: async ({ local, script }) => {
      await script((deployment) => reportFinished(deployment, { id, region: REGION, call: CALL }));
      local.pc = 'done';
    },
  };
}
