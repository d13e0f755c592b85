/** Steps shared by the actors outside a run: reading a record and removing its job. */
import { type FollowUps, followUpsOf, runsOf } from '../../../src/redis/outbox.ts';
import type { JournalRecord } from '../../../src/redis/record.ts';
import { type Actor, overLossyConnection, type Sketch } from '../step.ts';
import { ACTION, type Local, REGION, type World } from '../world.ts';

export const PLACE = { region: REGION, action: ACTION } as const;

/** An actor that carries out its steps in order, once. */
export function once(
  name: string,
  id: string,
  plan: (world: World, local: Local) => Sketch<Local>[],
  scripted: readonly string[] = [],
): Actor {
  return {
    name,
    start: { pc: '0' },
    steps: (world, local) => {
      const sketches = plan(world, local);
      const mayLose = (world.left.replies ?? 0) > 0 && scripted.includes(local.pc);
      return overLossyConnection(name, id, local, sketches, mayLose);
    },
  };
}

/** Returns an actor's name. The name contains the verification's id, except for `a`, the first verification of the scenario. */
export function named(actor: string, id: string): string {
  return id === 'a' ? actor : `${actor} of ${id}`;
}

/** As every actor outside a run does, reads those fields of the record from which the follow-ups of an end are derived. */
export function reads(id: string, pc: string, use: () => void = () => undefined): Sketch<Local>['act'] {
  return ({ world, local }) => {
    const record = world.record(id);
    Object.assign(local, { pc, record: record === null ? null : partOf(record) });
    use();
  };
}

function partOf({ generation, starts, unreportedRuns, webhook, upload, retries }: JournalRecord) {
  return { generation, starts, unreportedRuns, webhook, upload, retries };
}

export function followUpsBy(id: string, local: Local): FollowUps | null {
  return local.record === null ? null : followUpsOf({ id, ...PLACE, ...local.record }, 'outside');
}

export function seenBy({ record }: Local): string {
  return record === null ? '' : runsOf(record);
}

/** Removes the job as BullMQ does: a locked job stays. */
export function removesJob(id: string, pc: string): Sketch<Local> {
  return {
    does: 'removes the job',
    touches: [`queue:${id}`],
    readsClock: true, // the lock may expire
    act: ({ world, local, facts }) => {
      world.touch(world.names.job(REGION, id).lock, world.names.job(REGION, id).job);
      if (world.lockOf(id) === null) {
        facts.queue = 'none';
        world.put(world.names.job(REGION, id).job, null);
      }
      local.pc = pc;
    },
  };
}
