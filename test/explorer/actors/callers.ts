/** Actors that play callers: one cancels, one erases. */
import type { StoredReceipt } from '../../../src/domain/operations/erasure.ts';
import { notification } from '../../../src/redis/notify-queue.ts';
import { erasureField, type FollowUps } from '../../../src/redis/outbox.ts';
import { cancel } from '../../../src/redis/scripts/cancel.ts';
import { eraseRecord } from '../../../src/redis/scripts/erase-record.ts';
import type { Actor, Sketch } from '../step.ts';
import { EXPIRY_MS, type Local, REGION } from '../world.ts';
import { followUpsBy, once, PLACE, reads, removesJob, seenBy } from './outside.ts';

export function canceller(id = 'a', name = 'canceller'): Actor {
  return once(
    name,
    id,
    (world, { pc }) => {
      if (pc === '0')
        return [{ does: 'reads the record', touches: [world.names.journal(id)], act: reads(id, 'cancels') }];
      if (pc === 'cancels') return [cancels(id)];
      return pc === 'removes' ? [removesJob(id, 'done')] : [];
    },
    ['cancels'],
  );
}

function cancels(id: string): Sketch<Local> {
  return {
    does: 'cancels',
    act: async ({ local, script }) => {
      const followUps = followUpsBy(id, local);
      const { status } = await script((deployment) =>
        cancel(deployment, { id, ...PLACE }, { followUps, seen: seenBy(local), expiryMs: EXPIRY_MS }),
      );
      delete local.record;
      local.pc = status === 'cancelled' ? 'removes' : status === 'stale' ? '0' : 'done';
    },
  };
}

export interface EraserOptions {
  readonly id?: string;
  /** Whether the erasing process may be killed before it adds the follow-ups. */
  readonly dies?: boolean;
}

export function eraser({ id = 'a', dies = false }: EraserOptions = {}): Actor {
  return once(
    'eraser',
    id,
    (world, { pc }) => {
      const touches = [`${world.names.outbox}#${id}`, `jobs:${id}`];
      if (pc === '0') return [erases(id)];
      if (pc === 'adds') {
        const act: Sketch<Local>['act'] = ({ world, local }) => {
          world.addJobs(id, JSON.parse(local.text) as FollowUps);
          local.pc = 'removes';
        };
        const dying = { does: 'dies', act: ({ local }: { local: Local }) => void Object.assign(local, { pc: 'dead' }) };
        return [{ does: 'adds the follow-ups', touches, act }, ...(dies ? [dying] : [])];
      }
      if (pc !== 'removes') return [];
      const act: Sketch<Local>['act'] = ({ world, local }) => {
        world.setField(world.names.outbox, local.field, null);
        local.pc = 'done';
      };
      return [{ does: 'removes the outbox entry', touches, act }];
    },
    ['0'],
  );
}

function erases(id: string): Sketch<Local> {
  return {
    does: 'erases the record',
    act: async ({ world, local, script }) => {
      const record = world.record(id);
      const notice = notification({ id, webhook: record?.webhook ?? null }, 'erased');
      const followUps = { forget: { id, region: REGION, delayMs: 0, secondPass: 'required' }, ...notice } as const;
      const target = { id, ...PLACE, subject: null, tenant: null };
      const answer = await script((deployment) =>
        eraseRecord(deployment, target, { receipt: receiptOf(id), followUps }),
      );
      if (answer.status === 'erased')
        Object.assign(local, { pc: 'adds', text: JSON.stringify(followUps), field: erasureField(id) });
      else local.pc = 'done';
    },
  };
}

function receiptOf(id: string): StoredReceipt {
  const record = { confirmedAt: '', by: 'Redis' } as const;
  const open = { job: null, objects: null, frame: null, complete: false, notConfirmed: [] } as const;
  return { id, mode: 'test', requestedAt: '', by: 'maria', why: 'asked', record, ...open };
}
