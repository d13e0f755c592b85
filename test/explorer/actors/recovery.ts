/** Actors that complete the work of a dead process: BullMQ's check for stalled jobs, and the sweeper. */
import { isTerminal } from '../../../src/domain/verification/states.ts';
import type { FollowUps } from '../../../src/redis/outbox.ts';
import { expireOverdue } from '../../../src/redis/scripts/expire-overdue.ts';
import { type Actor, overLossyConnection, type Sketch, stepsOf } from '../step.ts';
import { EXPIRY_MS, type Local, REGION, type World } from '../world.ts';
import { followUpsBy, named, PLACE, reads, removesJob } from './outside.ts';
import { KEEP } from './worker-stages.ts';

/** BullMQ's check for stalled jobs: puts a job whose lock has expired back among the waiting jobs. */
export function reaper(id = 'a'): Actor {
  const name = named('reaper', id);
  return {
    name,
    start: { pc: '0' },
    steps: (world) => {
      const stalled = world.factsOf(id).queue === 'active' && world.lockOf(id) === null;
      if (!stalled) return [];
      const act: Sketch<Local>['act'] = ({ facts }) => void Object.assign(facts, { queue: 'waiting' });
      const touches = [`queue:${id}`, world.names.job(REGION, id).lock];
      return stepsOf(name, id, [{ does: 'returns the stalled job', touches, readsClock: true, act }]);
    },
  };
}

/** The sweeper delivers the remaining outbox entries: it reads an entry, adds its jobs, and removes the entry. */
export function outboxSweeper(id = 'a', name = 'sweeper'): Actor {
  return {
    name,
    start: { pc: 'reads' },
    steps: (world, local) => {
      const { outbox } = world.names;
      const touches = [`${outbox}#${id}`, `jobs:${id}`];
      if (local.pc !== 'reads') return stepsOf(name, id, [removal(touches)]);
      if ((world.left.sweeps ?? 1) <= 0) return [];
      const entries = Object.keys(world.hash(outbox)).filter((field) => field.split(':')[0] === id);
      const sketches = entries.map((field) => ({
        does: `adds the follow-ups of ${field}`,
        touches: [...touches, 'left:sweeps'],
        act: ({ world, local }: { world: World; local: Local }) => {
          const text = world.hash(outbox)[field] ?? '{}';
          world.addJobs(id, JSON.parse(text) as FollowUps);
          Object.assign(local, { pc: 'removes', field, text });
          if (world.left.sweeps !== undefined) world.left.sweeps -= 1;
        },
      }));
      return stepsOf(name, id, sketches);
    },
  };
}

function removal(touches: readonly string[]): Sketch<Local> {
  return {
    does: 'removes the outbox entry',
    touches,
    act: ({ world, local }) => {
      world.setField(world.names.outbox, local.field, null);
      local.pc = 'reads';
      delete local.field;
      delete local.text;
    },
  };
}

/**
 * The sweeper ends overdue verifications and adds missing jobs. It reads the journal first; when it acts, the journal
 * may have changed.
 */
export function repairer(id = 'a', name = 'repairer'): Actor {
  return {
    name,
    start: { pc: 'looks' },
    steps: (world, local) => {
      const { left } = world;
      if (local.pc === 'looks' && (left.repairs ?? 1) > 0) {
        const record = world.record(id);
        if (record === null || isTerminal(record.state)) return [];
        // A session that waits has no job. One with a token is asked for at its deadline.
        if (record.isParked) return [];
        const isStarted = record.outcomes.start !== undefined;
        const overdue = record.deadline <= world.clock && record.state !== 'active' && !isStarted;
        const { queue } = world.factsOf(id);
        const touches = [world.names.journal(id), `queue:${id}`, 'left:repairs'];
        const use = () => {
          if (left.repairs !== undefined) world.left.repairs = left.repairs - 1;
        };
        if (overdue)
          return stepsOf(name, id, [
            { does: 'reads the overdue record', touches, readsClock: true, act: reads(id, 'expires', use) },
          ]);
        if (queue === 'none' || queue === 'finished')
          return stepsOf(name, id, [{ does: 'adds the missing job', touches, readsClock: true, act: addJob(id, use) }]);
        if (queue === 'delayed' && record.state === 'delayed' && (record.notBefore ?? 0) <= world.clock)
          return stepsOf(name, id, [{ does: 'promotes the job', touches, readsClock: true, act: promote(use) }]);
        return [];
      }
      const mayLose = (left.replies ?? 0) > 0;
      if (local.pc === 'expires') return overLossyConnection(name, id, local, [expires(id)], mayLose);
      if (local.pc === 'removes') return stepsOf(name, id, [removesJob(id, 'looks')]);
      return [];
    },
  };
}

function addJob(id: string, use: () => void): Sketch<Local>['act'] {
  return ({ world, facts }) => {
    if (world.lockOf(id) !== null) return;
    facts.queue = 'waiting';
    use();
  };
}

function promote(use: () => void): Sketch<Local>['act'] {
  return ({ facts }) => {
    facts.queue = 'waiting';
    use();
  };
}

function expires(id: string): Sketch<Local> {
  return {
    does: 'expires it',
    act: async ({ local, script }) => {
      const followUps = followUpsBy(id, local);
      const ended = await script((deployment) =>
        expireOverdue(deployment, { id, ...PLACE }, { followUps, expiryMs: EXPIRY_MS, keep: KEEP }),
      );
      delete local.record;
      local.pc = ended ? 'removes' : 'looks';
    },
  };
}
