/** Tests that both formats contain the same series, and that OpenMetrics alone has the traces. */
import { context, trace } from '@opentelemetry/api';
import { Counter, Gauge, Registry } from 'prom-client';
import { afterEach, expect, it, vi } from 'vitest';
import { createProcessMetrics } from '../../../src/app/process-metrics.ts';
import { writeMetrics } from '../../../src/app/write-metrics.ts';

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3';
const TRACE = '0af7651916cd43dd8448eb211c80319c';

afterEach(() => void vi.restoreAllMocks());

/** Lets the code run in a trace, as the SDK does. */
function runInTrace(traceFlags: number): void {
  const spanContext = { traceId: TRACE, spanId: 'b7ad6b7169203331', traceFlags };
  const recording = Object.assign(trace.wrapSpanContext(spanContext), { isRecording: () => true });
  vi.spyOn(trace, 'getSpan').mockReturnValue(recording);
  expect(trace.getSpan(context.active())).toBe(recording);
}

function metrics() {
  const { registry, observer } = createProcessMetrics([]);
  observer.measure('stage', { stage: 'detect', result: 'ok' }, 300);
  observer.count('bytes', { direction: 'uploaded' }, 7);
  const deployment = new Registry();
  new Counter({ name: 'bestframe_unknown_codes_total', help: 'a counter', registers: [deployment] }).inc(2);
  new Gauge({ name: 'bestframe_held', help: 'a gauge', registers: [deployment] }).set(3);
  return [registry, deployment];
}

const seriesOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/ # .*$/, ''));

it('both formats contain the same series, also if both are asked for at once, and one after the other', async () => {
  const registries = metrics();
  const ask = (accept: string) => writeMetrics(registries, accept);
  const [plain, open] = await Promise.all([ask('*/*'), ask(OPEN_METRICS)]);
  expect(plain.type).toContain('text/plain');
  expect(open.type).toContain('application/openmetrics-text');
  expect(seriesOf(open.text)).toEqual(seriesOf(plain.text));
  expect(seriesOf(plain.text)).toEqual(expect.arrayContaining(['bestframe_unknown_codes_total 2', 'bestframe_held 3']));
  expect(open.text).toMatch(/\n# EOF\n$/);
  expect(open.text).toContain('# TYPE bestframe_unknown_codes counter');
  expect(await ask('*/*')).toEqual(plain);
  expect(await ask(OPEN_METRICS)).toEqual(open);
});

it('a bucket leads to the trace of its last observation, in OpenMetrics', async () => {
  runInTrace(1);
  const registries = metrics();
  const { text } = await writeMetrics(registries, OPEN_METRICS);
  const bucket = /^bestframe_stage_seconds_bucket\{le="0\.5".*$/m.exec(text)?.[0];
  expect(bucket).toMatch(new RegExp(`} 1 # \\{trace_id="${TRACE}"} 0\\.3 [\\d.]+$`));
  expect(text.split(TRACE)).toHaveLength(2);
  expect((await writeMetrics(registries, '*/*')).text).not.toContain(TRACE);
});

it('a trace that is not exported is no exemplar', async () => {
  runInTrace(0);
  expect((await writeMetrics(metrics(), OPEN_METRICS)).text).not.toContain(TRACE);
});
