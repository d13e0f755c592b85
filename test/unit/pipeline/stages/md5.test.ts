/** Tests the preflight and the links that it reads, with stubbed ports. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { Probe } from '../../../../src/domain/ports.ts';
import type { UploadOutcome } from '../../../../src/domain/verification/outcomes.ts';
import { stages } from '../../../../src/pipeline/stages/index.ts';
import { isStaged, readyLinks } from '../../../../src/pipeline/stages/links.ts';
import { MD5, NOW, place, REGION, type Stubs, stageContext, stageInput, UPLOADED } from './stages.ts';

const HOST = `https://own-1250000000.cos.${REGION}.myqcloud.com`;
const denied = () =>
  new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent: 'answered' }, 'denied');

interface World {
  readonly upload?: UploadOutcome;
  /** What COS says about an object, by its name. */
  readonly probes?: Partial<Record<'liveData' | 'image', Partial<Probe> | Error>>;
  readonly hash?: { sizeBytes: number; md5: string } | Error;
  readonly sign?: (key: string) => string | Error;
}

function run({ upload = UPLOADED, probes = {}, hash, sign = (key) => `${HOST}/${key}?sign=1` }: World = {}) {
  const signed: unknown[] = [];
  const read: string[] = [];
  const stubs: Stubs = {
    bucket: {
      async signGet(object, ttlMs) {
        signed.push([object.key, ttlMs]);
        const link = sign(object.key);
        if (link instanceof Error) throw link;
        return link;
      },
    },
    links: {
      async probe(link) {
        read.push(link);
        const name = link.includes('image') ? 'image' : 'liveData';
        const probe = probes[name];
        if (probe instanceof Error) throw probe;
        return { sizeBytes: name === 'image' ? 20 : 10, etagMd5: MD5[name], ...probe };
      },
      async hash() {
        if (hash === undefined) expect.fail('the ETag suffices');
        if (hash instanceof Error) throw hash;
        return hash;
      },
    },
  };
  return { result: stages.md5(stageInput({ outcomes: { upload } }), stageContext(stubs)), signed, read };
}

describe('the preflight', () => {
  it('reads both objects through links that live five minutes', async () => {
    const { result, signed, read } = run();
    expect(await result).toEqual({ checkedAt: NOW });
    expect(signed).toEqual([
      ['temp/v1/2/liveData', 300_000],
      ['temp/v1/2/image', 300_000],
    ]);
    expect(read).toEqual([`${HOST}/temp/v1/2/liveData?sign=1`, `${HOST}/temp/v1/2/image?sign=1`]);
  });

  it.each([
    ['size', { sizeBytes: 21 }],
    ['size, without an MD5 in the ETag', { sizeBytes: 21, etagMd5: null }],
    ['MD5', { etagMd5: MD5.liveData }],
  ])('refuses an object of another %s', async (_what, image) => {
    await expect(run({ probes: { image } }).result).rejects.toMatchObject({
      code: 'LINK_MD5_MISMATCH',
      message: 'the object of image differs from what was uploaded: Tencent would answer "MD5 Error"',
    });
  });

  it('reads the whole object if its ETag is not an MD5', async () => {
    const probes = { image: { etagMd5: null } };
    await expect(run({ probes, hash: { sizeBytes: 20, md5: MD5.image } }).result).resolves.toEqual({ checkedAt: NOW });
    const other = { sizeBytes: 20, md5: MD5.liveData };
    await expect(run({ probes, hash: other }).result).rejects.toMatchObject({ code: 'LINK_MD5_MISMATCH' });
    const short = { sizeBytes: 19, md5: MD5.image };
    await expect(run({ probes, hash: short }).result).rejects.toMatchObject({ code: 'LINK_MD5_MISMATCH' });
  });

  it('refuses two links to one object, whatever their signatures', async () => {
    let n = 0;
    const { result, read } = run({ sign: () => `${HOST}/same?sign=${n++}` });
    await expect(result).rejects.toMatchObject({
      code: 'SAME_RESOURCE',
      message: 'both links name the same object: give two different ones',
    });
    expect(read).toEqual([]);
  });

  it.each([
    `https://own.cos.ap-bangkok.myqcloud.com/image`,
    `https://photos.example/image?x=.cos.${REGION}.myqcloud.com`,
    `https://own.cos.${REGION}.myqcloud.com.evil.example/image`,
  ])('refuses %s, which Tencent would not read', async (link) => {
    const { result, read } = run({ sign: (key) => (key.endsWith('image') ? link : `${HOST}/${key}`) });
    await expect(result).rejects.toMatchObject({
      code: 'LINK_REGION',
      message: `the link of image is not a COS domain of ${REGION}: Tencent would answer "invalid resourceUrl"`,
    });
    expect(read).toEqual([]);
  });

  it('charges a failure to the deployment for its own objects, and to the caller for his', async () => {
    const own = run({ probes: { image: denied() } });
    await expect(own.result).rejects.toMatchObject({ about: 'deployment', dependency: 'cos:get' });
    const image = { bytes: 20, md5: MD5.image, object: place('callers/image') };
    const named = run({ upload: { resources: { ...UPLOADED.resources, image } }, probes: { image: denied() } });
    await expect(named.result).rejects.toMatchObject({ about: 'caller', dependency: 'cos:get' });
    const unsigned = run({ sign: denied });
    await expect(unsigned.result).rejects.toMatchObject({ about: 'deployment', dependency: 'cos:get' });
  });
});

describe('a link', () => {
  const vendors = (linksExpireAt: number) => ({
    resources: { image: { bytes: 20, md5: MD5.image, link: 'https://vendor/image', requestId: 'r' } },
    linksExpireAt,
  });
  const ready = (upload: UploadOutcome | undefined) =>
    readyLinks(stageInput({ outcomes: upload === undefined ? {} : { upload } }), stageContext(), 1_000);

  it('of the vendor is used as it is', async () => {
    const upload = vendors(NOW + 3_000);
    expect(await ready(upload)).toEqual([{ ...upload.resources.image, name: 'image' }]);
  });

  it('of the vendor that expires in less than three seconds is not used', async () => {
    await expect(ready(vendors(NOW + 2_999))).rejects.toMatchObject({
      code: 'LINKS_EXPIRED',
      message: 'the upload links are about to expire: the resources are uploaded again under new ones',
    });
  });

  it('without upload, link or object is a bug', async () => {
    await expect(ready(undefined)).rejects.toThrow('readyLinks was called before the upload stage had an outcome');
    await expect(ready({ resources: { image: { bytes: 1, md5: MD5.image } } })).rejects.toThrow(
      'resource image has neither link nor object',
    );
  });

  it.each([
    ['an object under the verification’s own key', place('temp/v1/2/image'), true],
    ['an object of another verification', place('temp/v10/2/image'), false],
    ['an object that the caller named', place('callers/temp/v1/image'), false],
    ['an object at the vendor', undefined, true],
  ])('leads to %s', (_what, object, staged) => {
    const resource = { bytes: 1, md5: MD5.image, ...(object === undefined ? {} : { object }) };
    expect(isStaged(resource, stageInput(), stageContext())).toBe(staged);
  });
});
