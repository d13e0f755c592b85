/** The one HTTP way out: proxy, NO_PROXY, CA, time limits, address guard. */
export { createLinkIo } from './link-io.ts';
export { createTransport } from './transport.ts';
