/** `new BestframeClient({ redis })` stands beside Redis, `new BestframeClient({ url, key })` goes over HTTP. */
import type { Bestframe } from './bestframe.ts';
import { type ClientOptions, BestframeClient as RedisClient } from './client.ts';
import type { RemoteOptions } from './http/calls.ts';
import { RemoteClient } from './http/client.ts';

interface OpensEither {
  new (options: RemoteOptions): RemoteClient;
  new (options: ClientOptions): RedisClient;
  new (options: ClientOptions | RemoteOptions): Bestframe;
}

function open(options: ClientOptions | RemoteOptions): Bestframe {
  return 'url' in options ? new RemoteClient(options) : new RedisClient(options);
}

/** What `new` gives is one of two classes: TypeScript has no way to say so of one. */
export const BestframeClient = open as unknown as OpensEither;
/** Beside Redis. Name `Bestframe` where either may come. */
export type BestframeClient = RedisClient;
