/** Posts notifications to webhook endpoints. Only the status and Retry-After of an answer are used. */
import { Readable } from 'node:stream';
import type { WebhookSender } from '../../domain/ports.ts';
import { readRetryAfter } from './answer-failures.ts';
import type { Transport } from './transport.ts';

export function createWebhookSender(transport: Transport): WebhookSender {
  return {
    async post(url, headers, text, signal) {
      const bytes = Buffer.from(text);
      const response = await transport.request({
        method: 'POST',
        url,
        purpose: 'webhook',
        headers: {
          'content-type': 'application/json',
          'content-length': String(bytes.byteLength),
          ...headers,
        },
        body: Readable.from([bytes]),
        signal,
      });
      // Only the status matters: ignore a body that never ends or breaks off.
      await response.dump().catch(() => undefined);
      return { status: response.status, retryAfterMs: readRetryAfter(response).retryAfterMs ?? null };
    },
  };
}
