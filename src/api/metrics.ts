/** What can be counted, as Prometheus reads it. The names are a promise: docs/metrics.md has them all. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Metrics } from '../domain/metrics.ts';

const COUNTED: Readonly<Record<keyof Metrics['counters'], readonly [name: string, help: string]>> = {
  unknownOutcomes: [
    'bestframe_unknown_outcomes_total',
    'Paid calls whose answer never came: each was possibly paid for, beside the call that repeated it',
  ],
  lateOutcomes: [
    'bestframe_late_outcomes_total',
    'Answers that came after another one, a rewind or the end: in the history only',
  ],
  orphanOutcomes: ['bestframe_orphan_outcomes_total', 'Answers whose verification was erased or has expired'],
  unknownCodes: ['bestframe_unknown_codes_total', 'Failures whose code is in no table'],
  gateClosed: ['bestframe_gate_closings_total', 'Times that trouble with the account closed a gate'],
  gateOpened: ['bestframe_gate_openings_total', 'Times that a probe opened a gate again'],
};

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A registry for each reading: what is gone (a gate's reason) must not stay as a series. */
export function metricsText(metrics: Metrics): Promise<string> {
  const registers = [new Registry()];
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name, help, labelNames, registers });

  const place = ['region', 'action'] as const;
  const open = gauge('bestframe_gate_open', '1: calls pass; 0: closed or paused', place);
  const since = gauge(
    'bestframe_gate_closed_since_seconds',
    'Unix time since when a gate is closed or paused, with the code that says why',
    [...place, 'code'],
  );
  const probe = gauge('bestframe_gate_next_probe_seconds', 'Unix time of the next probe of a closed gate', place);
  const pace = gauge('bestframe_gate_pace', 'How many times slower than its limit, after throttling', place);
  const admitted = gauge('bestframe_gate_admitted', 'Uploaded and not yet detected', place);
  for (const { region, action, state, code, since: at, nextProbeAt, ...gate } of metrics.gates) {
    open.set({ region, action }, state === 'open' ? 1 : 0);
    pace.set({ region, action }, gate.pace);
    admitted.set({ region, action }, gate.admitted);
    if (at !== null) since.set({ region, action, code: code ?? 'none' }, Date.parse(at) / 1000);
    if (nextProbeAt !== null) probe.set({ region, action }, Date.parse(nextProbeAt) / 1000);
  }

  const jobs = gauge('bestframe_jobs', 'Verifications in the queue of a region', ['region', 'state']);
  for (const { region, ...counts } of metrics.queues) {
    for (const [state, count] of Object.entries(counts)) jobs.set({ region, state }, count);
  }
  gauge('bestframe_live', 'Verifications that have not ended, held ones included').set(metrics.live);
  gauge('bestframe_held', 'Verifications that wait for a person').set(metrics.held);
  gauge('bestframe_oldest_seconds', 'Age of the oldest verification that is neither ended nor held; 0 if none').set(
    (metrics.oldestMs ?? 0) / 1000,
  );
  gauge('bestframe_outbox', 'Ended verifications whose follow-ups are not handed on yet').set(metrics.outbox);
  gauge('bestframe_to_erase', 'Deletions that are not confirmed yet, or wait for their second look').set(
    metrics.toErase,
  );
  gauge('bestframe_to_notify', 'Notifications that no webhook endpoint has heard yet').set(metrics.toNotify);
  gauge('bestframe_dead_notifications', 'Notifications that were given up, kept for 30 days').set(
    metrics.deadNotifications,
  );
  for (const name of Object.keys(COUNTED) as (keyof typeof COUNTED)[]) {
    const [counter, help] = COUNTED[name];
    new Counter({ name: counter, help, registers }).inc(metrics.counters[name]);
  }
  const [registry] = registers;
  return registry === undefined ? Promise.resolve('') : registry.metrics();
}
