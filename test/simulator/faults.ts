/**
 * Everything that goes wrong in a day, and what operators do. All of it ends before the day's last hour, so that the rest of the
 * work can end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HELD_CHOICES } from '../../src/domain/operations/held.ts';
import type { Random } from '../chaos/random.ts';
import { SLOW_HOST, untilReached } from './load.ts';
import { kill, openClient, run, startBackgroundProcess, startVerifyProcess, type World } from './processes.ts';
import { REGION } from './vendor.ts';
import { DAY_STARTS, newOwner } from './virtual-time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const VERIFY_WORKERS = 2;
const DETECT = 'DetectReflectLivenessAndCompare';

/** How often each fault came. */
export type Counts = Record<string, number>;

export interface Faults {
  readonly counts: Counts;
  /** Verifications that an operator retried after their end. */
  readonly retried: Set<string>;
  /** Verifications about which an operator decided. */
  readonly resolved: Set<string>;
  /** Periods in which something was down. */
  readonly windows: { from: number; to: number; why: 'redis' | 'gate' | 'workers' | 'vendor' }[];
}

/** @param share how much goes wrong: 1 is a bad day, 0 nothing. */
export function startFaults(world: World, random: Random, hours: number, share: number): Faults {
  const faults: Faults = { counts: {}, retried: new Set(), resolved: new Set(), windows: [] };
  const endsAt = DAY_STARTS + hours * HOUR;
  const count = (what: string) => {
    faults.counts[what] = (faults.counts[what] ?? 0) + 1;
    world.wire.log(null, `fault ${what}`);
  };
  startWorkers(world, random, { endsAt, share, count });
  if (share > 0) startTroubles(world, random, { endsAt, share, count, windows: faults.windows });
  startOperator(world, random, { endsAt, count, faults });
  return faults;
}

interface Plan {
  readonly endsAt: number;
  readonly share: number;
  count(what: string): void;
}

// ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────────

function startWorkers(world: World, random: Random, plan: Plan): void {
  const { time, network } = world;
  const between = (least: number, most: number) => least + random.next() * (most - least);
  /** Faults of a process come after a number of its events, so they often meet a process at work. */
  const keep = (kind: 'verify' | 'background', slot: number, round = 1): void => {
    const name = `${kind}-${slot}.${round}`;
    const process = kind === 'verify' ? startVerifyProcess(world, name) : startBackgroundProcess(world, name);
    const eventsPerFault = kind === 'verify' ? 6_000 : 12_000;
    const { owner, machine } = process;
    const again = () => {
      if (plan.share > 0 && time.now < plan.endsAt)
        owner.untilFault = Math.ceil((-Math.log(1 - random.next()) * eventsPerFault) / plan.share) + 200;
    };
    owner.onFault = () => {
      if (time.now >= plan.endsAt) return;
      const fault = random.pick(['kill', 'kill', 'kill', 'stop', 'stop', 'cut', 'cut', 'clock', 'mount']);
      plan.count(fault);
      if (fault === 'kill') {
        kill(world, process);
        time.after(between(1_000, 20_000), null, () => keep(kind, slot, round + 1));
        return;
      }
      if (fault === 'stop') owner.stoppedUntil = time.now + between(500, random.chance(0.3) ? 60_000 : 10_000);
      if (fault === 'cut') network.cut(owner, between(200, random.chance(0.3) ? 40_000 : 8_000));
      if (fault === 'clock') {
        owner.skewMs = between(20_000, 10 * MINUTE);
        time.after(between(10_000, 3 * MINUTE), null, () => {
          owner.skewMs = 0;
        });
      }
      if (fault === 'mount') {
        machine.unmounted = true;
        time.after(between(10_000, 3 * MINUTE), null, () => {
          machine.unmounted = false;
        });
      }
      again();
    };
    again();
  };
  for (let slot = 1; slot <= VERIFY_WORKERS; slot += 1) keep('verify', slot);
  keep('background', 1);
}

// ── the vendor, Redis and callers' hosts ───────────────────────────────────────────────────────────────────────────

function startTroubles(world: World, random: Random, plan: Plan & Pick<Faults, 'windows'>): void {
  const { time, vendor, network, stalledHosts } = world;
  const { troubles } = vendor;
  /** Comes about every `everyHours`, for some minutes. @param begin returns what ends it */
  const recurring = (
    what: string,
    everyHours: number,
    [least, most]: readonly [number, number],
    begin: (ms: number) => () => void,
  ): void => {
    const waitMs = (-Math.log(1 - random.next()) * everyHours * HOUR) / plan.share;
    if (time.now + waitMs > plan.endsAt) return;
    time.after(waitMs, null, () => {
      const ms = least + random.next() * (most - least);
      plan.count(what);
      plan.windows.push({ from: time.now, to: time.now + ms, why: what === 'Redis restarts' ? 'redis' : 'vendor' });
      const end = begin(ms);
      time.after(ms, null, () => {
        world.wire.log(null, `fault ends: ${what}`);
        end();
        recurring(what, everyHours, [least, most], begin);
      });
    });
  };
  const code = (value: string) => () => {
    troubles.faceId = value;
    return () => {
      troubles.faceId = null;
    };
  };
  recurring('FaceID is down', 5, [MINUTE, 15 * MINUTE], code('InternalError'));
  recurring('FaceID throttles', 8, [10_000, MINUTE], code('RequestLimitExceeded'));
  recurring('FaceID is silent', 8, [20_000, 3 * MINUTE], () => {
    troubles.faceIdSilent = true;
    return () => {
      troubles.faceIdSilent = false;
    };
  });
  recurring('the account is in arrears', 8, [MINUTE, 10 * MINUTE], () => {
    troubles.accountError = 'ResourceUnavailable.InArrears';
    return () => {
      troubles.accountError = null;
    };
  });
  recurring('COS takes no objects', 8, [MINUTE, 10 * MINUTE], () => {
    troubles.cosPut = true;
    return () => {
      troubles.cosPut = false;
    };
  });
  recurring('COS gives no objects', 8, [MINUTE, 10 * MINUTE], () => {
    troubles.cosGet = true;
    return () => {
      troubles.cosGet = false;
    };
  });
  recurring('a caller’s host stalls', 6, [MINUTE, 10 * MINUTE], () => {
    stalledHosts.add(SLOW_HOST);
    return () => stalledHosts.delete(SLOW_HOST);
  });
  recurring('Redis restarts', 8, [1_000, 15_000], (ms) => {
    network.restartRedis(ms);
    return () => undefined;
  });
}

// ── operators ──────────────────────────────────────────────────────────────────────────────────────────────────────

const ROUND_MS = 10 * MINUTE;

function startOperator(
  world: World,
  random: Random,
  { endsAt, count, faults: { retried, resolved } }: Pick<Plan, 'endsAt' | 'count'> & { readonly faults: Faults },
): void {
  const owner = newOwner('operator');
  const by = 'operator';
  run(world, owner, async () => {
    const client = openClient(world, owner);
    while (world.time.now < endsAt) {
      await sleep(ROUND_MS * (0.5 + random.next()));
      for (const { id } of await untilReached(() => client.held({ limit: 20 }))) {
        const choice = random.pick(HELD_CHOICES);
        await untilReached(() => client.resolve(id, choice, { by, why: 'reviewed' }));
        resolved.add(id);
        count(`held: ${choice}`);
      }
      const ended = await untilReached(() => client.list({ ended: true, limit: 20 }));
      for (const { id, state, frame } of ended) {
        if ((state !== 'failed' && frame !== 'lost') || retried.has(id) || random.chance(0.5)) continue;
        const [result] = await untilReached(() => client.retry({ ids: [id], by, why: 'tried again' }));
        if (result?.status !== 'run' && result?.status !== 'frame') continue;
        retried.add(id);
        count('retried');
      }
      if (random.chance(0.02)) {
        const gate = { region: REGION, action: DETECT } as const;
        await untilReached(() => client.steerGate(gate, 'pause', { by, why: 'maintenance' }));
        count('the gate is paused');
        await sleep(30_000 + random.next() * 60_000);
        await untilReached(() => client.steerGate(gate, 'resume', { by, why: 'maintenance is over' }));
      }
    }
  });
}
