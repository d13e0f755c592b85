import type { GatedAction } from '../../domain/verification/actions.ts';
import type { Region } from '../../domain/verification/regions.ts';
import type { Deployment } from '../deployment.ts';
import type { Rate } from './reserve-slots.ts';
import { runScript } from './run.ts';

export interface SlotRequest {
  readonly id: string;
  /** The longest wait for a slot. If the wait for the next slot would be longer, the answer is `busy`. */
  readonly mostWaitMs: number;
  readonly rate: Rate;
  /** If false, the script only checks whether the gate lets the call through, and takes no slot. */
  readonly take: boolean;
}

/** `now` is Redis's time, ms since 1970. */
export type SlotAnswer =
  | {
      readonly kind: 'go';
      readonly now: number;
      readonly epoch: string;
      /** Whether this call probes a closed gate. */
      readonly probe: boolean;
      /** The earliest time at which the call may be sent, ms since 1970; 0 if no slot was taken. */
      readonly slot: number;
    }
  | { readonly kind: 'closed'; readonly now: number; readonly code: string }
  | { readonly kind: 'busy'; readonly now: number };

export async function acquireSlot(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  { region, action }: { region: Region; action: GatedAction },
  { id, mostWaitMs, rate, take }: SlotRequest,
): Promise<SlotAnswer> {
  const { lanes, laneMs, soonMs } = rate;
  const reply = await runScript(
    redis,
    'acquire-slot',
    { gate: names.gate(region, action).gate },
    { id, mostWaitMs: Math.round(mostWaitMs), lanes: take ? lanes : 0, laneMs, soonMs },
  );
  const [kind, now, word, probe, slot = 0] = reply as [SlotAnswer['kind'], number, string, number?, number?];
  if (kind === 'closed') return { kind, now, code: word };
  if (kind === 'busy') return { kind, now };
  return { kind, now, epoch: word, probe: probe === 1, slot };
}
