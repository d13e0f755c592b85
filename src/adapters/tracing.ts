/**
 * Passes spans to OpenTelemetry. This uses only its API: without an SDK in the process, nothing is recorded, and a trace that a
 * producer began is passed on.
 */
import {
  type Context,
  context,
  isSpanContextValid,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { Failure } from '../domain/errors/failure.ts';
import { failureCode } from '../domain/errors/index.ts';
import {
  parseTraceparent,
  SPAN_FACTS,
  type Span,
  type SpanFacts,
  type SpanOptions,
  type Tracer,
} from '../domain/operations/tracing.ts';

const KINDS = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export const openTelemetry: Tracer = {
  begin: (name, options = {}) => spanOf(start(name, options)),
  async run(name, options, work) {
    const started = start(name, options);
    const span = spanOf(started);
    try {
      const result = await context.with(trace.setSpan(context.active(), started), () => work(span));
      span.end();
      return result;
    } catch (error) {
      span.end(error);
      throw error;
    }
  },
};

/** The id of the current trace. Null if there is no trace, or if it is not exported. */
export function exportedTraceId(): string | null {
  const running = trace.getSpan(context.active());
  if (running === undefined || !running.isRecording()) return null;
  const { traceId, traceFlags } = running.spanContext();
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? null : traceId;
}

function start(name: string, { parent, kind = 'internal', facts = {} }: SpanOptions): OtelSpan {
  const tracer = trace.getTracer('bestframe');
  const within = parent === undefined ? context.active() : contextOf(parent);
  return tracer.startSpan(name, { kind: KINDS[kind], attributes: attributesOf(facts) }, within);
}

function contextOf(traceparent: string | null): Context {
  const [, traceId = '', spanId = '', flags = ''] = parseTraceparent(traceparent)?.split('-') ?? [];
  if (traceId === '') return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  });
}

function spanOf(span: OtelSpan): Span {
  return {
    traceparent: traceparentOf(span.spanContext()),
    note: (facts) => {
      span.setAttributes(attributesOf(facts));
    },
    end(error) {
      if (error !== undefined) {
        span.setAttributes(attributesOf(factsOf(error)));
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

/** Other errors are not failures of the work: the lease was lost, or a call was withheld. */
function factsOf(error: unknown): SpanFacts {
  if (!(error instanceof Failure)) return {};
  return { code: failureCode(error), requestId: error.requestId };
}

function traceparentOf(spanContext: SpanContext): string | null {
  if (!isSpanContextValid(spanContext)) return null;
  const { traceId, spanId, traceFlags } = spanContext;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** Drops everything that is not listed, also if a caller passes more than its type allows. */
function attributesOf(facts: SpanFacts): Record<string, string | number> {
  const listed: Record<string, string | number> = {};
  for (const name of Object.keys(facts) as (keyof SpanFacts)[]) {
    const [attribute, value] = [Object.hasOwn(SPAN_FACTS, name) ? SPAN_FACTS[name] : undefined, facts[name]];
    if (attribute !== undefined && value !== null && value !== undefined) listed[attribute] = value;
  }
  return listed;
}
