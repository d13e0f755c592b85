/** Starts the OpenTelemetry SDK, if the settings switch tracing on. Only then is it loaded. */
import { setTimeout as pause } from 'node:timers/promises';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { VERSION } from '../domain/version.ts';
import type { TracingSettings } from './derive-settings.ts';

export interface Tracing {
  /** Exports the remaining spans, for at most two seconds. */
  close(): Promise<void>;
}

const CLOSE_MS = 2_000;
/** After a line about a failed export, no further one is written for this long. */
const QUIET_MS = 60_000;

/** @param process name of the process, such as `verify`. The exporter reads its other settings from the environment itself. */
export async function startTracing(
  { protocol, serviceName }: TracingSettings,
  process: string,
  log: Logger,
): Promise<Tracing> {
  if (protocol === null) return { close: async () => undefined };
  reportFailures(log);
  const [sdk, { detectResources, envDetector, resourceFromAttributes }, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/resources'),
    protocol === 'http/json'
      ? import('@opentelemetry/exporter-trace-otlp-http')
      : import('@opentelemetry/exporter-trace-otlp-proto'),
  ]);
  // The name and version of the service, and what OTEL_RESOURCE_ATTRIBUTES says. Nothing about the machine or the command line.
  const service = { 'service.name': serviceName ?? `bestframe-${process}`, 'service.version': VERSION };
  const resource = detectResources({ detectors: [envDetector] }).merge(resourceFromAttributes(service));
  const provider = new sdk.NodeTracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  log.info({ event: 'tracing_on', service: service['service.name'], protocol }, 'traces are exported');
  return {
    async close() {
      const limit = new AbortController();
      const timeout = pause(CLOSE_MS, undefined, { signal: limit.signal }).catch(() => undefined);
      await Promise.race([provider.shutdown().catch(() => undefined), timeout]);
      limit.abort();
    },
  };
}

/** The SDK's own text is dropped, because it may contain the collector's address and answer. */
function reportFailures(log: Logger): void {
  let quietUntil = 0;
  const report = () => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + QUIET_MS;
    log.warn({ event: 'traces_lost' }, 'spans could not be exported: check the collector and the OTEL_* variables');
  };
  const ignore = () => undefined;
  const logger = { error: report, warn: ignore, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
}
