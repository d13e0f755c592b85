const { BestframeClient } = require('PACKAGE');
const { BestframeHttpClient } = require('PACKAGE/http');

const { REDIS, PREFIX, NAMESPACE, API, KEY, LIVE, PHOTO, RUN } = process.env;
const request = {
  region: 'ap-singapore',
  upload: 'own-bucket',
  resources: { liveData: { from: 'file', path: LIVE }, image: { from: 'file', path: PHOTO } },
};

test.each([
  ['redis', () => new BestframeClient({ redis: REDIS, prefix: PREFIX, namespace: NAMESPACE, mode: 'test' })],
  ['http', () => new BestframeHttpClient({ url: API, key: KEY })],
])('%s', async (name, open) => {
  const client = open();
  const view = await client.verify({ ...request, key: `${RUN}-${name}` });
  await client.close();
  expect(view.next).toBe('accept');
});
