/** Records what a process observes about its work. Each bucket of a histogram keeps the trace of its last observation. */
import {
  type OpenMetricsContentType,
  Counter as PromCounter,
  Histogram as PromHistogram,
  type Registry,
} from 'prom-client';
import { exportedTraceId } from '../adapters/tracing.ts';
import {
  HISTOGRAMS,
  LABEL_VALUES,
  type LabelName,
  MAX_OPEN_VALUES,
  type Observer,
  PROCESS_COUNTERS,
} from '../domain/operations/process-metrics.ts';

import { newOpenMetricsRegistry } from './write-metrics.ts';

export interface ProcessMetrics {
  /** `writeMetrics` writes it, in any format. */
  readonly registry: Registry<OpenMetricsContentType>;
  readonly observer: Observer;
}

const OTHER = 'other';

/** @param tenants the only tenants that have series of their own. Nothing is recorded for others. */
export function createProcessMetrics(tenants: readonly string[]): ProcessMetrics {
  const registry = newOpenMetricsRegistry();
  const bound = boundLabels(tenants);
  const histograms = mapRules(
    HISTOGRAMS,
    ({ name, help, labels, buckets }) =>
      new PromHistogram({
        ...{ name, help, labelNames: labels, buckets: [...buckets], registers: [registry] },
        enableExemplars: true,
      }),
  );
  const counters = mapRules(
    PROCESS_COUNTERS,
    ({ name, help, labels }) => new PromCounter({ name, help, labelNames: labels, registers: [registry] }),
  );
  const observer: Observer = {
    measure(name, labels, ms) {
      const bounded = bound(labels);
      if (bounded === null) return;
      const traceId = exportedTraceId();
      (histograms[name] as PromHistogram).observe({
        ...{ labels: bounded, value: Math.max(0, ms) / 1_000 },
        exemplarLabels: traceId === null ? {} : { trace_id: traceId },
      });
    },
    count(name, labels, by = 1) {
      const bounded = bound(labels);
      if (bounded !== null) (counters[name] as PromCounter).inc(bounded, by);
    },
  };
  return { registry, observer };
}

function mapRules<Rules extends object, Made>(rules: Rules, make: (rule: Rules[keyof Rules]) => Made) {
  const entries = Object.entries(rules).map(([name, rule]) => [name, make(rule)]);
  return Object.fromEntries(entries) as Record<keyof Rules, Made>;
}

/** Returns a function that replaces values that are not allowed. It returns null for a tenant that is not listed. */
function boundLabels(tenants: readonly string[]) {
  const seen = new Set<string>();
  const routeOf = (value: string) => {
    if (!seen.has(value) && seen.size >= MAX_OPEN_VALUES) return OTHER;
    seen.add(value);
    return value;
  };
  return (labels: Readonly<Record<string, string>>): Record<string, string> | null => {
    const { tenant } = labels;
    if (tenant !== undefined && !tenants.includes(tenant)) return null;
    const bounded: Record<string, string> = {};
    for (const [name, value] of Object.entries(labels)) {
      const values: readonly string[] | 'open' = LABEL_VALUES[name as LabelName];
      if (values === 'open') bounded[name] = name === 'route' ? routeOf(value) : value;
      else bounded[name] = values.includes(value) ? value : OTHER;
    }
    return bounded;
  };
}
