/**
 * Two actors that may act on one verification at once: an operator who retries it, and the sweeper's pass over the live index.
 */

import { retryEnded } from '../../../src/redis/scripts/retry-ended.ts';
import type { Actor, Sketch } from '../step.ts';
import { EXPIRY_MS, type Local, REGION } from '../world.ts';
import { once } from './outside.ts';

/** An operator retries a verification that failed. */
export function retrier({ id = 'a', dies = false } = {}): Actor {
  return once(
    'retrier',
    id,
    (world, { pc }) => {
      if (pc === '0') return world.hash(world.names.journal(id)).state === 'failed' ? [retries(id)] : [];
      if (pc !== 'adds') return [];
      const act: Sketch<Local>['act'] = ({ local }) => void Object.assign(local, { pc: 'dead' });
      return [replacesJob(id), ...(dies ? [{ does: 'dies', alone: true, act }] : [])];
    },
    ['0'],
  );
}

function retries(id: string): Sketch<Local> {
  return {
    does: 'retries',
    act: async ({ world, local, script }) => {
      const entry = { at: world.clock, event: 'retried', by: 'maria' } as const;
      const write = { entry, plan: { status: 'run', sources: null, answer: null } } as const;
      const { status } = await script((deployment) =>
        retryEnded(deployment, { id, region: REGION, subject: null }, { expiryMs: EXPIRY_MS, write }),
      );
      local.pc = status === 'run' ? 'adds' : status === 'ending' ? '0' : 'done';
    },
  };
}

/** Replaces the job as BullMQ does: a locked job is not removed, and an existing job is not added again. */
function replacesJob(id: string): Sketch<Local> {
  return {
    does: 'adds the job again',
    touches: [`queue:${id}`],
    readsClock: true, // the lock may expire
    act: ({ world, local, facts }) => {
      const { lock, job } = world.names.job(REGION, id);
      world.touch(lock, job);
      if (world.lockOf(id) === null) {
        world.put(job, null);
        facts.queue = 'waiting';
      }
      local.pc = 'done';
    },
  };
}

/** The sweeper's pass over the index of live verifications: it drops an id that has no record. */
export function indexSweeper(id = 'a', name = 'index sweeper'): Actor {
  return once(name, id, (world, { pc }) => {
    const { live, journal } = world.names;
    const isLive = world.snapshot[live]?.items.includes(id) === true;
    if (pc === '0' && isLive)
      return [{ does: 'finds it in the index', touches: [`${live}#${id}`], act: becomes('reads') }];
    if (pc === 'reads') return [{ does: 'reads the record', touches: [journal(id)], act: reads(id) }];
    if (pc !== 'drops') return [];
    const act: Sketch<Local>['act'] = ({ world, local }) => {
      world.dropFromLive(id);
      local.pc = 'done';
    };
    return [{ does: 'drops it from the index', touches: [`${live}#${id}`], act }];
  });
}

function becomes(pc: string): Sketch<Local>['act'] {
  return ({ local }) => void Object.assign(local, { pc });
}

function reads(id: string): Sketch<Local>['act'] {
  return ({ world, local }) => {
    const record = world.record(id);
    local.pc = record === null ? 'drops' : 'done';
  };
}
