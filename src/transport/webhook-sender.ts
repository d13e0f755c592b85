/** Notifications to endpoints: a POST, and the status that it was answered with. Everything else of the answer is dropped. */
import type { WebhookSender } from '../domain/ports.ts';
import { retryAfter } from './cos-answers.ts';
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
          'user-agent': 'bestframe',
          ...headers,
        },
        body: (async function* () {
          yield bytes;
        })(),
        signal,
      });
      // The status is all that counts: a body that never ends, or breaks off, takes nothing away from it.
      await response.dump().catch(() => undefined);
      return { status: response.status, retryAfterMs: retryAfter(response).retryAfterMs ?? null };
    },
  };
}
