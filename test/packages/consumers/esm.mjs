import { BestframeClient, BestframeHttpClient, Failure } from 'PACKAGE';
import { BestframeHttpClient as FromHttpEntry } from 'PACKAGE/http';

if (BestframeHttpClient !== FromHttpEntry) throw new Error('both entries must have the same class');
class Traced extends BestframeClient {
  traced = true;
}
const { REDIS, PREFIX, NAMESPACE, API, KEY, LIVE, PHOTO, RUN } = process.env;
const redis = new Traced({ redis: REDIS, prefix: PREFIX, namespace: NAMESPACE, mode: 'test' });
const http = new FromHttpEntry({ url: API, key: KEY });
if (!(redis instanceof BestframeClient) || !redis.traced) throw new Error('a subclass must keep its members');
const request = {
  region: 'ap-singapore',
  upload: 'own-bucket',
  resources: { liveData: { from: 'file', path: LIVE }, image: { from: 'file', path: PHOTO } },
};
const views = [
  await redis.verify({ ...request, key: `${RUN}-redis` }),
  await http.verify({ ...request, key: `${RUN}-http` }),
];
const refused = await redis.enqueue({ ...request, key: '' }).catch((error) => error);
if (!(refused instanceof Failure) || refused.code !== 'INVALID_VERIFICATION') throw refused;
await redis.close();
await http.close();
console.log(views.map(({ next }) => next).join(' '));
