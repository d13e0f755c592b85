/** The one HTTP way out: proxy, NO_PROXY, CA, time limits, address guard. */
export { refusalOf } from './cos-answers.ts';
export { createLinkIo } from './link-io.ts';
export { createTransport, type Transport } from './transport.ts';
export { createWebhookSender } from './webhook-sender.ts';
