/** The gates as they stand, for whoever asks, and what an operator does to them. Written by the scripts in `lua/`. */
import { GATED_ACTIONS, type GatedAction, REGIONS, type Region } from '../domain/actions.ts';
import { explain } from '../domain/errors/index.ts';
import type { GateView, Steer } from '../domain/gates.ts';
import type { RedisClient } from './connection.ts';
import type { Names } from './names.ts';
import { run } from './scripts.ts';

export async function readGates(redis: RedisClient, names: Names, now: number): Promise<GateView[]> {
  const all = REGIONS.flatMap((region) => GATED_ACTIONS.map((action) => ({ region, action })));
  const pipeline = redis.pipeline();
  for (const { region, action } of all) {
    const { gate, admitted } = names.gate(region, action);
    pipeline.hgetall(gate).zcount(admitted, now, '+inf');
  }
  const replies = (await pipeline.exec()) ?? [];
  return all.flatMap(({ region, action }, index) => {
    const [gateError, hash] = replies[index * 2] ?? [null, {}];
    const [countError, admitted] = replies[index * 2 + 1] ?? [null, 0];
    if (gateError !== null || countError !== null) throw gateError ?? countError;
    const fields = hash as Record<string, string>;
    // A gate that nobody ever used is not worth a line.
    return Object.keys(fields).length === 0 ? [] : [viewOf(region, action, fields, Number(admitted), now)];
  });
}

export async function steerGate(
  redis: RedisClient,
  names: Names,
  region: Region,
  action: GatedAction,
  steer: Steer,
  by: string,
  why: string,
): Promise<boolean> {
  return (await run(redis, 'steer', [names.gate(region, action).gate], [steer, by, why])) === 'done';
}

function viewOf(
  region: Region,
  action: GatedAction,
  gate: Record<string, string>,
  admitted: number,
  now: number,
): GateView {
  const paused = gate.paused !== undefined;
  const closed = gate.state === 'closed';
  const code = paused ? 'PAUSED_BY_OPERATOR' : closed ? (gate.code ?? null) : null;
  const since = paused ? gate.paused : closed ? gate.since : undefined;
  const by = paused ? gate.pausedBy : gate.by;
  const why = paused ? gate.pausedWhy : gate.why;
  return {
    region,
    action,
    state: paused ? 'paused' : closed ? 'closed' : 'open',
    code,
    advice: code === null ? null : (explain(code)?.advice ?? null),
    since: time(since),
    nextProbeAt: closed && !paused ? time(gate.nextProbe) : null,
    probes: closed ? Number(gate.probes ?? 0) : 0,
    by: by ?? null,
    why: why === undefined || why === '' ? null : why,
    pace: paceOf(gate, now),
    admitted,
  };
}

/** As in lua/parts/pace.lua. */
function paceOf(gate: Record<string, string>, now: number): number {
  if (gate.pace === undefined) return 1;
  const value = 1 + (Number(gate.pace) - 1) * 0.5 ** ((now - Number(gate.paceAt)) / 30_000);
  return value < 1.02 ? 1 : Math.round(value * 100) / 100;
}

function time(ms: string | undefined): string | null {
  return ms === undefined ? null : new Date(Number(ms)).toISOString();
}
