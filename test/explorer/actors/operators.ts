/** Actors that play operators, and two actors that play other verifications: one closes the gate, the other opens a breaker. */
import type { GateCommand } from '../../../src/domain/operations/gates.ts';
import type { HeldChoice } from '../../../src/domain/operations/held.ts';
import { isTerminal } from '../../../src/domain/verification/states.ts';
import { notification } from '../../../src/redis/notify-queue.ts';
import { reportTrouble } from '../../../src/redis/scripts/report-trouble.ts';
import { resolveHeld } from '../../../src/redis/scripts/resolve-held.ts';
import { steerGate } from '../../../src/redis/scripts/steer-gate.ts';
import { tripGate } from '../../../src/redis/scripts/trip-gate.ts';
import type { Actor, Sketch } from '../step.ts';
import { ACTION, EXPIRY_MS, LIFE_MS, type Local, REGION } from '../world.ts';
import { followUpsBy, once, PLACE, reads, removesJob, seenBy } from './outside.ts';
import { TUNING } from './worker-stages.ts';

export function operator(choices: readonly HeldChoice[], { id = 'a', payAgain = true, name = 'operator' } = {}): Actor {
  return once(
    name,
    id,
    (world, { pc }) => {
      const held = world.hash(world.names.journal(id)).state === 'held';
      if (pc === '0') {
        if (!held) return [];
        return choices.map((choice) => ({
          does: `reads the held record, to choose ${choice}`,
          touches: [world.names.journal(id)],
          act: (context) => {
            void reads(id, 'resolves')(context);
            context.local.choice = choice;
          },
        }));
      }
      if (pc === 'resolves') return [resolves(id, payAgain)];
      if (pc === 'removes') return [removesJob(id, 'done')];
      return pc === 'wakes' ? [wakes(id)] : [];
    },
    ['resolves'],
  );
}

function resolves(id: string, payAgain: boolean): Sketch<Local> {
  return {
    does: 'resolves',
    act: async ({ world, local, script }) => {
      const { choice, record } = local;
      const ends = choice === 'fail' || choice === 'recapture';
      const { status, state } = await script((deployment) =>
        resolveHeld(deployment, id, {
          ...{ choice, by: 'maria', payAgain, leastMs: LIFE_MS, expiryMs: EXPIRY_MS },
          ...{
            entry: { at: world.clock, event: 'resolved' },
            followUps: ends ? followUpsBy(id, local) : null,
            seen: seenBy(local),
          },
          notify: notification({ id, webhook: record?.webhook ?? null, retries: record?.retries ?? 0 }, 'decided')
            .notify,
        }),
      );
      delete local.record;
      local.pc =
        status === 'stale' ? '0' : status !== 'ok' ? 'done' : state !== null && isTerminal(state) ? 'removes' : 'wakes';
    },
  };
}

function wakes(id: string): Sketch<Local> {
  return {
    does: 'wakes the job',
    touches: [`queue:${id}`],
    act: ({ local, facts }) => {
      if (facts.queue === 'delayed') facts.queue = 'waiting';
      local.pc = 'done';
    },
  };
}

/** An operator's commands on the gate, in order. */
export function steerer(commands: readonly GateCommand[], name = 'steerer'): Actor {
  return once(name, 'a', (_, { pc }) => {
    const act = commands[Number(pc)];
    if (act === undefined) return [];
    const run: Sketch<Local>['act'] = async ({ local, script }) => {
      await script((deployment) => steerGate(deployment, PLACE, { act, by: 'maria', why: 'test' }));
      local.pc = String(Number(pc) + 1);
    };
    return [{ does: `${act}s the gate`, act: run }];
  });
}

/** Plays another verification, whose call shows that the account is in trouble. */
export function tripper(): Actor {
  return once('account', 'a', (world, { pc }) => {
    const epoch = world.hash(world.names.gate(REGION, ACTION).gate).epoch ?? '0';
    const act: Sketch<Local>['act'] = async ({ local, script }) => {
      const trouble = {
        id: 'other',
        epoch,
        code: 'FailedOperation.NotOpened',
        firstProbeMs: 2_000,
        longestProbeMs: 300_000,
      };
      await script((deployment) => tripGate(deployment, PLACE, trouble));
      local.pc = 'done';
    };
    return pc === '0' ? [{ does: 'closes the gate', act }] : [];
  });
}

/** Plays another verification, which finds that FaceID is down and opens the breaker. */
export function breaker(): Actor {
  return once('breaker', 'a', (_, { pc }) => {
    const act: Sketch<Local>['act'] = async ({ local, script }) => {
      const trouble = { dependency: `faceid:${ACTION}`, code: 'InternalError', epoch: '0', spread: 1 };
      await script((deployment) => reportTrouble(deployment, { id: 'other', region: REGION }, trouble, TUNING));
      local.pc = 'done';
    };
    return pc === '0' ? [{ does: 'opens', act }] : [];
  });
}
