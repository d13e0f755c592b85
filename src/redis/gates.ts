/** Reads the current state of the gates, for operators. Only the scripts change the gates. */

import { explain } from '../domain/errors/index.ts';
import type { GateView } from '../domain/operations/gates.ts';
import { GATED_ACTIONS, type GatedAction, placesOf } from '../domain/verification/actions.ts';
import type { Region } from '../domain/verification/regions.ts';
import { openPipeline } from './connection.ts';
import type { Deployment } from './deployment.ts';

export async function readGates({ redis, names }: Deployment, now: number): Promise<GateView[]> {
  const all = placesOf(GATED_ACTIONS);
  const pipeline = openPipeline(redis);
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
    const unused = Object.keys(fields).length === 0;
    return unused ? [] : [viewOf({ region, action }, fields, Number(admitted), now)];
  });
}

function viewOf(
  place: { region: Region; action: GatedAction },
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
    ...place,
    state: paused ? 'paused' : closed ? 'closed' : 'open',
    code,
    advice: code === null ? null : explain(code)?.advice.operator || null,
    since: time(since),
    nextProbeAt: closed && !paused ? time(gate.nextProbe) : null,
    probes: closed ? Number(gate.probes ?? 0) : 0,
    by: by ?? null,
    why: why === undefined || why === '' ? null : why,
    pace: paceAt(gate, now),
    admitted,
  };
}

/** The same formula as `paceOf` in scripts/includes/pace.lua, rounded to two digits. A test checks that the two agree. */
export function paceAt(gate: Readonly<Record<string, string>>, now: number): number {
  if (gate.pace === undefined) return 1;
  const value = 1 + (Number(gate.pace) - 1) * 0.5 ** ((now - Number(gate.paceAt)) / 30_000);
  return value < 1.02 ? 1 : Math.round(value * 100) / 100;
}

function time(ms: string | undefined): string | null {
  return ms === undefined ? null : new Date(Number(ms)).toISOString();
}
