/**
 * A backend that reaches Redis: enqueue one verification, wait for its decision, and act on `next`.
 *
 *   node examples/enqueue-and-wait/main.mjs <live data> <photo> [key]
 */
import { resolve } from 'node:path';
import { BestframeClient } from 'bestframe-client';

const [liveData, photo, key = `session-${Date.now()}`] = process.argv.slice(2);
if (liveData === undefined || photo === undefined) {
  console.error('Give two files: the liveness package and the photo.');
  process.exit(2);
}

const bestframe = new BestframeClient({
  redis: process.env.BESTFRAME_REDIS_URL ?? 'redis://127.0.0.1:6379',
  namespace: process.env.BESTFRAME_NAMESPACE, // the secret of the deployment
  mode: 'test', // `bestframe dev` talks to the emulator. Leave this out in production.
});
try {
  // Resolves once the verification is stored in Redis. It is safe to repeat a failed call: the same key is the same verification.
  const { id, status } = await bestframe.enqueue({
    key, // your own id of this check, such as a session id
    region: 'ap-singapore',
    upload: 'own-bucket',
    // The workers read the files themselves, so these paths must be valid for the workers, too.
    resources: {
      liveData: { from: 'file', path: resolve(liveData) },
      image: { from: 'file', path: resolve(photo) },
    },
  });
  console.log(`enqueued ${key} as ${id} (${status})`);

  const view = await bestframe.wait(id, { timeoutMs: 30_000 });
  console.log(`next: ${view?.next}`);
} finally {
  await bestframe.close();
}
