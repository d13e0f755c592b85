/** Tests COS object keys that callers choose: unusual but valid keys work everywhere, and no key can close a gate. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

/** Each key is used for a photo, and below `out/` for a frame. */
const ODD_KEYS = [
  'a photo.jpg',
  ' leading and trailing ',
  'a+b.jpg',
  'a%2Fb.jpg',
  'a%2f..%2fb.jpg',
  '%2e%2e/b.jpg',
  '100%.jpg',
  'a%zz.jpg',
  'a?b=c.jpg',
  'a#b.jpg',
  'a&b=c;d,e.jpg',
  `it's "quoted".jpg`,
  '(a)[b]{c}<d>!*.jpg',
  'a\\b.jpg',
  '~user/@home/$x^y`z|.jpg',
  'a..b/c...jpg',
  '.hidden/..two/...three',
  'trailing.dot.',
  'trailing..',
  'q-sign-algorithm=sha1&q-ak=x',
  'https://host.example.com-not.jpg'.replace('//', '/'),
  'schlüssel/straße.jpg',
  '人脸/照片 一.jpg',
  'é (decomposed e\u0301).jpg',
  'emoji 😀👩‍👩‍👧.jpg',
  'عربى.jpg',
  `long/${'é'.repeat(400)}.jpg`,
];

let rig: Rig;

beforeAll(async () => {
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
});
afterAll(() => rig.dispose());

const inBucket = (key: string) => ({ bucket: rig.bucket, region: 'ap-singapore', key }) as const;

it('refuses keys that URLs would normalise, before anything is stored', async () => {
  for (const key of ['./c.jpg', 'a/../b.jpg', 'a//b.jpg', '/a.jpg']) {
    const request = await rig.request('refused');
    const image = { from: 'cos', ...inBucket(key) } as const;
    const source = rig.client.enqueue({ ...request, resources: { ...request.resources, image } });
    await expect(source).rejects.toMatchObject({ field: 'resources.image.key' });
    const frame = rig.client.enqueue({ ...request, frame: { to: 'cos', ...inBucket(key) } });
    await expect(frame).rejects.toMatchObject({ field: 'frame.key' });
  }
  expect(await rig.client.getByKey('refused')).toBeNull();
});

it('fails only the verification whose old record has an invalid key, and leaves the gate open', async () => {
  const request = await rig.request('from-before');
  const image = { from: 'cos', ...inBucket('x/c.jpg') } as const;
  const { id } = await rig.client.enqueue({ ...request, resources: { ...request.resources, image } });
  const journal = rig.names.journal(id);
  const src = (await rig.redis.hget(journal, 'src')) ?? '';
  await rig.redis.hset(journal, 'src', src.replace('x/c.jpg', './c.jpg'));
  const worker = await rig.openWorker();
  const view = await rig.client.wait(id, { until: 'ended' });
  expect(view).toMatchObject({
    state: 'failed',
    reason: { code: 'INVALID_VERIFICATION', class: 'caller' },
    paidCalls: 0,
  });
  const gates = await rig.client.gates();
  expect(gates.filter(({ state }) => state !== 'open')).toEqual([]);
  await worker.stop(5_000);
});

it('accepts unusual keys for sources and frames, and erases the frames', async () => {
  const worker = await rig.openWorker();
  await rig.openErase();
  const ids = await Promise.all(
    ODD_KEYS.map(async (key, index) => {
      await rig.control.putObject(rig.bucket, key, sampleImage(`odd-${index}`));
      const request = await rig.request(`odd-${index}`);
      const { id } = await rig.client.enqueue({
        ...request,
        resources: { ...request.resources, image: { from: 'cos', ...inBucket(key) } },
        frame: { to: 'cos', ...inBucket(`out/${key}`) },
      });
      return id;
    }),
  );
  const views = await Promise.all(ids.map((id) => rig.client.wait(id, { until: 'ended' })));
  expect(views.map((view, index) => [ODD_KEYS[index], view?.decision, view?.frame, view?.reason ?? null])).toEqual(
    ODD_KEYS.map((key) => [key, 'match', 'stored', null]),
  );
  const keysUnder = async (prefix: string) =>
    (await rig.control.objects()).map(({ key }) => key).filter((key) => key.startsWith(prefix));
  expect((await keysUnder('out/')).sort()).toEqual(
    ODD_KEYS.flatMap((key) => [`out/${key}`, `out/${key}.receipt.json`]).sort(),
  );
  for (const id of ids) await rig.client.erase(id, { by: 'test', why: 'test' });
  await expect.poll(() => keysUnder('out/'), { timeout: 50_000 }).toEqual([]);
  const left = (await rig.control.objects()).map(({ key }) => key);
  expect(ODD_KEYS.filter((key) => !left.includes(key))).toEqual([]);
  await worker.stop(5_000);
});
