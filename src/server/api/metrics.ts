/** Renders the metrics of a deployment for Prometheus. The names are a public contract, documented in docs/metrics.md. */
import { Counter, Gauge, Registry } from 'prom-client';
import { dependencyKind } from '../../domain/operations/breakers.ts';
import type { Metrics } from '../../domain/operations/metrics.ts';
import { LANES } from '../../domain/verification/request.ts';

const COUNTERS: Readonly<Record<keyof Metrics['counters'], readonly [name: string, help: string]>> = {
  unknownOutcomes: [
    'bestframe_unknown_outcomes_total',
    'Paid calls whose answer was lost. Each may have been billed in addition to the call that repeated it',
  ],
  lateOutcomes: [
    'bestframe_late_outcomes_total',
    'Answers that arrived after another answer, a rewind or the end. They are recorded in the history only',
  ],
  orphanOutcomes: ['bestframe_orphan_outcomes_total', 'Answers to verifications that were erased or have expired'],
  replyShapes: ['bestframe_reply_shapes_total', 'Answers of FaceID in which a documented field has another shape'],
  unknownCodes: ['bestframe_unknown_codes_total', 'Failures with a code that is not in the error table'],
  gateClosed: ['bestframe_gate_closings_total', 'Times that an account error closed a gate'],
  gateOpened: ['bestframe_gate_openings_total', 'Times that a probe reopened a gate'],
  breakerOpened: ['bestframe_breaker_openings_total', 'Times that a dependency was found to be down'],
  evidenceIncomplete: [
    'bestframe_evidence_incomplete_total',
    'Verifications whose evidence could not be copied completely',
  ],
  loginsRefused: ['bestframe_logins_refused_total', 'Logins to the site, and requests to the API, that were refused'],
};

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

export function metricsText(metrics: Metrics): Promise<string> {
  return metricsRegistry(metrics).metrics();
}

/**
 * A new registry for each scrape, so that outdated series disappear, such as the former reason of a gate that has opened again.
 */
export function metricsRegistry(metrics: Metrics): Registry {
  const registry = new Registry();
  addGates(registry, metrics.gates);
  addBreakers(registry, metrics.breakers);
  addQueues(registry, metrics.queues);
  addWorkers(registry, metrics.workers);
  addTotals(registry, metrics);
  addOldest(registry, metrics);
  addCosts(registry, metrics.costs);
  addRedis(registry, metrics.redis);
  addTenants(registry, metrics.tenants);
  for (const name of Object.keys(COUNTERS) as (keyof typeof COUNTERS)[]) {
    const [counter, help] = COUNTERS[name];
    new Counter({ name: counter, help, registers: [registry] }).inc(metrics.counters[name]);
  }
  return registry;
}

interface GaugeConfig<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly Label[];
}

function addGauge<Label extends string>(registry: Registry, { name, help, labelNames = [] }: GaugeConfig<Label>) {
  return new Gauge({ name, help, labelNames, registers: [registry] });
}

function addGates(registry: Registry, gates: Metrics['gates']): void {
  const labelNames = ['region', 'action'] as const;
  const open = addGauge(registry, {
    name: 'bestframe_gate_open',
    help: '1 if calls pass the gate, 0 if it is closed or paused',
    labelNames,
  });
  const closedSince = addGauge(registry, {
    name: 'bestframe_gate_closed_since_seconds',
    help: 'Unix time at which the gate was closed or paused. The label code gives the reason',
    labelNames: [...labelNames, 'code'],
  });
  const nextProbe = addGauge(registry, {
    name: 'bestframe_gate_next_probe_seconds',
    help: 'Unix time of the next probe of a closed gate',
    labelNames,
  });
  const pace = addGauge(registry, {
    name: 'bestframe_gate_pace',
    help: 'Factor by which the gate runs slower than its limit after throttling, 1 if it does not',
    labelNames,
  });
  const admitted = addGauge(registry, {
    name: 'bestframe_gate_admitted',
    help: 'Verifications that are uploaded and not yet detected',
    labelNames,
  });
  for (const { region, action, state, code, since, nextProbeAt, ...gate } of gates) {
    open.set({ region, action }, state === 'open' ? 1 : 0);
    pace.set({ region, action }, gate.pace);
    admitted.set({ region, action }, gate.admitted);
    if (since !== null) closedSince.set({ region, action, code: code ?? 'none' }, Date.parse(since) / 1000);
    if (nextProbeAt !== null) nextProbe.set({ region, action }, Date.parse(nextProbeAt) / 1000);
  }
}

/** The breakers of all source hosts are counted together, because callers choose the hosts and there may be very many. */
function addBreakers(registry: Registry, breakers: Metrics['breakers']): void {
  const help =
    'Breakers that are open: 1 if the dependency is down, 0 if it works. Hosts of sources are counted together';
  const open = addGauge(registry, { name: 'bestframe_breaker_open', help, labelNames: ['region', 'dependency'] });
  for (const { region, dependency, state } of breakers) {
    open.inc({ region, dependency: dependencyKind(dependency) }, state === 'down' ? 1 : 0);
  }
}

function addQueues(registry: Registry, queues: Metrics['queues']): void {
  const help = 'Verifications in the queue of a region, by state of their job';
  const jobs = addGauge(registry, { name: 'bestframe_jobs', help, labelNames: ['region', 'state'] });
  for (const { region, ...counts } of queues) {
    for (const [state, count] of Object.entries(counts)) jobs.set({ region, state }, count);
  }
}

/** What the server does not tell has no series. */
function addRedis(registry: Registry, redis: Metrics['redis']): void {
  const gauges: readonly (readonly [name: string, help: string, value: number | null])[] = [
    ['bestframe_redis_memory_bytes', 'Memory that Redis uses', redis.memoryBytes],
    ['bestframe_redis_max_memory_bytes', 'Limit of the memory of Redis, 0 if there is none', redis.maxMemoryBytes],
    ['bestframe_redis_clients', 'Connections to Redis, from all its clients', redis.clients],
    ['bestframe_redis_replicas', 'Replicas that are connected to Redis', redis.replicas],
    [
      'bestframe_redis_persists',
      '1 if the last writes to the append-only file and the snapshot succeeded',
      redis.persists === null ? null : Number(redis.persists),
    ],
  ];
  const counters: readonly (readonly [name: string, help: string, value: number | null])[] = [
    ['bestframe_redis_evicted_keys_total', 'Keys that Redis evicted since it started', redis.evictedKeys],
    ['bestframe_redis_rejected_connections_total', 'Connections that Redis refused', redis.rejectedConnections],
    ['bestframe_redis_commands_total', 'Commands that Redis ran since it started, of all its clients', redis.commands],
  ];
  for (const [name, help, value] of gauges) if (value !== null) addGauge(registry, { name, help }).set(value);
  for (const [name, help, value] of counters)
    if (value !== null) new Counter({ name, help, registers: [registry] }).inc(value);
}

/** Both lanes of every region have a series, so that an alert sees a lane become empty. */
function addOldest(registry: Registry, { queues, oldest }: Pick<Metrics, 'queues' | 'oldest'>): void {
  const help = 'Age of the oldest verification of a region and lane that is neither ended nor held, 0 if there is none';
  const age = addGauge(registry, { name: 'bestframe_oldest_seconds', help, labelNames: ['region', 'lane'] });
  for (const { region } of queues) for (const lane of LANES) age.set({ region, lane }, 0);
  for (const { region, lane, ageMs } of oldest) age.set({ region, lane }, ageMs / 1000);
}

function addWorkers(registry: Registry, workers: Metrics['workers']): void {
  const help =
    '1 if the verify worker takes work, 0 if a fault of its machine keeps it out of service. Label code: the fault';
  const ready = addGauge(registry, { name: 'bestframe_worker_ready', help, labelNames: ['worker', 'code'] });
  for (const { worker, state, code } of workers) ready.set({ worker, code: code ?? 'none' }, state === 'ready' ? 1 : 0);
}

function addTotals(registry: Registry, metrics: Metrics): void {
  const totals: readonly (readonly [name: string, help: string, value: number])[] = [
    ['bestframe_live', 'Verifications that have not ended, including held ones', metrics.live],
    ['bestframe_sessions_waiting', 'Sessions that wait for their person, without a job', metrics.waitingSessions],
    ['bestframe_held', 'Verifications that wait for an operator', metrics.held],
    ['bestframe_outbox', 'Ended verifications whose follow-ups are not yet in their queues', metrics.outbox],
    ['bestframe_to_erase', 'Deletions that are not confirmed, or wait for their second check', metrics.toErase],
    ['bestframe_evidence_waiting', 'Verifications whose evidence is not copied yet', metrics.evidence.waiting],
    [
      'bestframe_evidence_oldest_seconds',
      'Time since the end of the first verification whose evidence is not copied yet, 0 if there is none',
      (metrics.evidence.oldestMs ?? 0) / 1000,
    ],
    ['bestframe_to_notify', 'Notifications that no webhook endpoint has accepted yet', metrics.toNotify],
    [
      'bestframe_dead_notifications',
      'Notifications that could not be delivered, kept for 30 days',
      metrics.deadNotifications,
    ],
  ];
  for (const [name, help, value] of totals) addGauge(registry, { name, help }).set(value);
}

/** Only listed tenants have a series: a label that callers or keys could extend would have no limit. */
function addTenants(registry: Registry, tenants: Metrics['tenants']): void {
  const records = addGauge(registry, {
    name: 'bestframe_tenant_records',
    help: 'Verifications of a listed tenant whose records are kept',
    labelNames: ['tenant'],
  });
  const calls = addGauge(registry, {
    name: 'bestframe_tenant_paid_calls_today',
    help: 'Paid calls of a listed tenant in the present day. The label billed is yes or possibly',
    labelNames: ['tenant', 'billed'],
  });
  for (const { tenant, paidCalls, possiblyPaidCalls, ...counts } of tenants) {
    records.set({ tenant }, counts.records);
    calls.set({ tenant, billed: 'yes' }, paidCalls);
    calls.set({ tenant, billed: 'possibly' }, possiblyPaidCalls);
  }
}

function addCosts(registry: Registry, { today, budgets }: Metrics['costs']): void {
  const calls = addGauge(registry, {
    name: 'bestframe_paid_calls_today',
    help: 'Paid calls of the present day. The label billed is yes or possibly',
    labelNames: ['billed'],
  });
  calls.set({ billed: 'yes' }, today.paidCalls);
  calls.set({ billed: 'possibly' }, today.possiblyPaidCalls);
  const cost = addGauge(registry, {
    name: 'bestframe_cost_today',
    help: 'Cost of the paid calls of the present day, by the prices that are set',
    labelNames: ['billed', 'currency'],
  });
  for (const { currency, paid, possiblyPaid } of today.costs) {
    cost.set({ billed: 'yes', currency }, paid);
    cost.set({ billed: 'possibly', currency }, possiblyPaid);
  }
  const labelNames = ['period', 'unit'] as const;
  const limit = addGauge(registry, { name: 'bestframe_budget', help: 'The budget of a period', labelNames });
  const spent = addGauge(registry, {
    name: 'bestframe_budget_spent',
    help: 'What of the budget is spent, paid and possibly paid together',
    labelNames,
  });
  for (const { period, unit, ...budget } of budgets) {
    limit.set({ period, unit }, budget.limit);
    spent.set({ period, unit }, budget.spent);
  }
}
