/**
 * Traces of verifications, as the code reports them. `adapters/tracing.ts` passes them to OpenTelemetry.
 *
 * What must hold: a span contains only what `SPAN_FACTS` lists: ids, names and codes, and never a link, a key, a secret, or text
 * of an error.
 */

/** W3C Trace Context, versions 00 to fe. Later versions may append fields, which are dropped. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** @returns `00-<trace id>-<span id>-<flags>`, or null if `text` is not a valid `traceparent`. */
export function parseTraceparent(text: unknown): string | null {
  const [, version, traceId, spanId, flags, more] = (typeof text === 'string' && TRACEPARENT.exec(text)) || [];
  if (version === undefined || (version === '00' && more !== undefined)) return null;
  return `00-${traceId}-${spanId}-${flags}`;
}

/** @param traceparent as `parseTraceparent` returns it. @returns 32 hex digits */
export function traceIdOf(traceparent: string | null): string | null {
  return traceparent?.split('-')[1] ?? null;
}

/** What a span may contain, with the names of the attributes. */
export const SPAN_FACTS = {
  /** Id of a verification. */
  id: 'bestframe.id',
  /** Number of verifications that one call enqueued. */
  count: 'bestframe.count',
  region: 'bestframe.region',
  lane: 'bestframe.lane',
  action: 'bestframe.action',
  stage: 'bestframe.stage',
  /** Number of the run, from 1. */
  attempt: 'bestframe.attempt',
  state: 'bestframe.state',
  code: 'bestframe.code',
  /** RequestId of Tencent Cloud. */
  requestId: 'bestframe.request_id',
  /** Name of a webhook endpoint. */
  endpoint: 'bestframe.endpoint',
  /** Type of a notification. */
  event: 'bestframe.event',
} as const;

export type SpanFacts = { readonly [Name in keyof typeof SPAN_FACTS]?: string | number | null | undefined };

export interface SpanOptions {
  /** Absent: the span within which the code runs. */
  readonly parent?: string | null;
  /** By default `internal`. */
  readonly kind?: 'internal' | 'client' | 'producer' | 'consumer';
  readonly facts?: SpanFacts;
}

export interface Span {
  /** To continue the trace elsewhere. If spans are not recorded: that of the parent. Null if there is no trace. */
  readonly traceparent: string | null;
  /** Adds facts. Facts that are null or undefined are left out. */
  note(facts: SpanFacts): void;
  /** @param error why the work failed. Of a Failure, only code and RequestId are recorded. */
  end(error?: unknown): void;
}

/** Where the work reports its spans. Never throws. */
export interface Tracer {
  begin(name: string, options?: SpanOptions): Span;
  /** Runs work within a span, which ends with the work. */
  run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
}

/** For processes and tests that record no spans. */
export const NO_TRACER: Tracer = {
  begin: (_name, { parent = null } = {}) => ({
    traceparent: parent,
    note: () => undefined,
    end: () => undefined,
  }),
  run: (name, options, work) => work(NO_TRACER.begin(name, options)),
};
