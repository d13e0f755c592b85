/**
 * A backend that records traces itself: submits one verification over HTTP within its own span, and another one through Redis.
 * Prints the ids of both as JSON. Reads TASK from the environment: { api, key, redis, prefix, namespace, overHttp, overRedis }.
 */
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { BestframeHttpClient } from '../../dist/src/client/http/index.js';
import { BestframeClient } from '../../dist/src/index.js';

const task = JSON.parse(process.env.TASK);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop' }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
const within = (work) =>
  trace.getTracer('shop').startActiveSpan('checkout', async (span) => {
    const { traceId, spanId } = span.spanContext();
    const enqueued = await work(`00-${traceId}-${spanId}-01`);
    span.end();
    return enqueued.id;
  });

const http = new BestframeHttpClient({ url: task.api, key: task.key, files: 'workers' });
const overHttp = await within((traceparent) => http.enqueue(task.overHttp, { traceparent }));
await http.close();
const { redis, prefix, namespace } = task;
const client = new BestframeClient({ redis, prefix, namespace, mode: 'test' });
const overRedis = await within(() => client.enqueue(task.overRedis)); // it finds the active span itself
await client.close();
await provider.shutdown();
process.stdout.write(JSON.stringify({ overHttp, overRedis }));
