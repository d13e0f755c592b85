/** Writes metrics in the text format of Prometheus, or in OpenMetrics, which alone has exemplars, for a scraper that reads it. */
import {
  type Metric,
  type MetricObjectWithValues,
  type MetricValue,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from 'prom-client';

/** Either kind of registry. Which one makes no difference here. */
export type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;

/**
 * @param registries whose metrics have different names.
 * @param accept the Accept header of the request.
 */
export async function writeMetrics(
  registries: readonly AnyRegistry[],
  accept: string,
): Promise<{ readonly type: string; readonly text: string }> {
  const isOpen = accept.includes('application/openmetrics-text');
  const writer = isOpen ? newOpenMetricsRegistry() : new Registry();
  for (const registry of registries) {
    const metrics = registry.getMetricsAsArray() as unknown as Readable[];
    for (const metric of metrics) writer.registerMetric(viewOf(metric, isOpen));
  }
  return { type: writer.contentType, text: await writer.metrics() };
}

/** prom-client keeps exemplars only for such a registry. */
export function newOpenMetricsRegistry(): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}

/** What a registry uses of a metric when it writes it. The types of prom-client do not say so. */
interface Readable {
  readonly name: string;
  get(): Promise<MetricObjectWithValues<MetricValue<string>>>;
}

/**
 * The metric as a registry of the format may write it. In OpenMetrics, the name of a family of counters has no `_total`, which the
 * registry adds to each series. It never gets the metric itself, because it would rename it for good.
 */
function viewOf(metric: Readable, isOpen: boolean): Metric {
  const get = async () => {
    const found = await metric.get();
    return isOpen ? { ...found, name: found.name.replace(/_total$/, '') } : found;
  };
  return { name: metric.name, get } as unknown as Metric;
}
