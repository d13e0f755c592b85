/** Starts the OpenTelemetry SDK, if the settings switch tracing on. Only then is it loaded. */
import { setTimeout as pause } from 'node:timers/promises';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { VERSION } from '../domain/version.ts';
import type { Config } from './config.ts';
import type { ParsedSettings } from './settings.ts';

export const PROTOCOLS = ['http/protobuf', 'http/json'] as const;
type Protocol = (typeof PROTOCOLS)[number];

export interface TracingSettings {
  /** Null: tracing is off. */
  readonly protocol: Protocol | null;
  /** Undefined: each process has its own name. */
  readonly serviceName: string | undefined;
}

export interface Tracing {
  /** Exports the remaining spans, for at most two seconds. */
  close(): Promise<void>;
}

const CLOSE_MS = 2_000;
/** After a line about a failed export, no further one is written for this long. */
const QUIET_MS = 60_000;

/** @param warnings gets a sentence if the settings ask for an exporter that Bestframe does not have. Tracing is then off. */
export function deriveTracing(settings: ParsedSettings, warnings: string[]): TracingSettings {
  const serviceName = settings.OTEL_SERVICE_NAME;
  const off = { protocol: null, serviceName };
  const exporter = settings.OTEL_TRACES_EXPORTER;
  const endpoint = settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? settings.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (settings.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || exporter === 'none') return off;
  if (exporter === undefined && endpoint === undefined) return off;
  if (exporter !== undefined && exporter !== 'otlp') {
    warnings.push('OTEL_TRACES_EXPORTER is neither otlp nor none: no trace is exported');
    return off;
  }
  const asked = settings.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? settings.OTEL_EXPORTER_OTLP_PROTOCOL ?? PROTOCOLS[0];
  const protocol = PROTOCOLS.find((known) => known === asked);
  if (protocol !== undefined) return { protocol, serviceName };
  warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is none of ${PROTOCOLS.join(', ')}: no trace is exported`);
  return off;
}

/** @param process name of the process, such as `verify`. The exporter reads its other settings from the environment itself. */
export async function startTracing(
  { tracing: { protocol, serviceName } }: Pick<Config, 'tracing'>,
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
