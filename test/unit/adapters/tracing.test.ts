/** Tests the spans with the SDK of OpenTelemetry in this process. */
import { context, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTelemetry } from '../../../src/adapters/tracing.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import type { SpanFacts } from '../../../src/domain/operations/tracing.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const UNSAMPLED = `00-${TRACE}-b7ad6b7169203331-00`;

describe('without an SDK', () => {
  it('a given trace is passed on, and no trace begins', async () => {
    expect(openTelemetry.begin('work', { parent: PARENT }).traceparent).toBe(PARENT);
    expect(openTelemetry.begin('work').traceparent).toBeNull();
    expect(openTelemetry.begin('work', { parent: 'not-a-trace' }).traceparent).toBeNull();
  });
});

describe('with an SDK', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  beforeAll(() => provider.register());
  beforeEach(() => exporter.reset());
  afterAll(async () => {
    await provider.shutdown();
    trace.disable();
    context.disable();
  });
  const spans = () => exporter.getFinishedSpans();

  it('a span continues the given trace, and spans within it are its children', async () => {
    const inner = await openTelemetry.run('outer', { parent: PARENT }, async () => {
      await Promise.resolve();
      const span = openTelemetry.begin('inner');
      span.end();
      return span.traceparent;
    });
    const [first, second] = spans();
    expect([first?.name, second?.name]).toEqual(['inner', 'outer']);
    expect(inner).toBe(`00-${TRACE}-${first?.spanContext().spanId}-01`);
    expect(second?.parentSpanContext?.spanId).toBe('b7ad6b7169203331');
    expect(first?.parentSpanContext?.spanId).toBe(second?.spanContext().spanId);
  });

  it('a parent of null begins a trace, also within a span', async () => {
    await openTelemetry.run('outer', {}, async () => openTelemetry.begin('other', { parent: null }).end());
    const [other, outer] = spans();
    expect(other?.parentSpanContext).toBeUndefined();
    expect(other?.spanContext().traceId).not.toBe(outer?.spanContext().traceId);
  });

  it('a trace that the caller did not sample is not recorded, but passed on unsampled', () => {
    const span = openTelemetry.begin('work', { parent: UNSAMPLED });
    span.end();
    expect(spans()).toEqual([]);
    expect(span.traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  });

  it('a span holds listed facts only, and of an error only code and RequestId', async () => {
    const facts = { id: 'v1', stage: 'detect', link: 'https://hush.example', code: undefined } as SpanFacts;
    const failure = new Failure(
      { service: 'faceid', channel: 'error', code: 'FailedOperation.ImageBlur', sent: 'answered', requestId: 'r-1' },
      'hush: https://hush.example',
    );
    await expect(openTelemetry.run('work', { facts }, () => Promise.reject(failure))).rejects.toBe(failure);
    const bug = new Error('hush');
    await expect(openTelemetry.run('work', {}, () => Promise.reject(bug))).rejects.toBe(bug);
    const [failed, broken] = spans();
    expect(failed?.attributes).toEqual({
      'bestframe.id': 'v1',
      'bestframe.stage': 'detect',
      'bestframe.code': 'FailedOperation.ImageBlur',
      'bestframe.request_id': 'r-1',
    });
    expect(broken?.attributes).toEqual({});
    expect(spans().map(({ status, events }) => ({ status, events }))).toEqual([
      { status: { code: 2 }, events: [] },
      { status: { code: 2 }, events: [] },
    ]);
  });
});
