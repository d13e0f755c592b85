/** The HTTP client of all adapters: proxy, NO_PROXY, CA, time limits, address guard. Nothing in it depends on the vendor. */
export { readSecret, sourceHeaders } from './source-headers.ts';
export { createTransport, type Transport } from './transport.ts';
export { createWebhookSender } from './webhook-sender.ts';
