/** Tests the upload with stubbed ports: where each resource goes, what is refused, and that every source is closed. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { OpenSource } from '../../../../src/domain/ports.ts';
import { PUT_LINK_MS } from '../../../../src/domain/verification/policy.ts';
import { openResources, stages } from '../../../../src/pipeline/stages/index.ts';
import { MD5, ORDER, OWN_BUCKET, openSource, place, readAll, type Stubs, stageContext, stageInput } from './stages.ts';

const VENDOR = { ...ORDER, upload: 'create-upload-url' } as const;
const denied = (sent: 'no' | 'answered' = 'answered') =>
  new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent }, 'denied');

interface Put {
  readonly link: string;
  readonly bytes: string;
  readonly head: unknown;
}

function world({
  sources,
  failPut,
  failSign,
  failUrl,
}: {
  readonly sources?: Readonly<Record<string, OpenSource | Error>>;
  readonly failPut?: Error;
  readonly failSign?: Error;
  readonly failUrl?: Error;
} = {}) {
  const given = {
    'resources.liveData': openSource(),
    'resources.image': openSource({ md5: MD5.image, sizeBytes: 20 }),
    ...sources,
  };
  const puts: Put[] = [];
  const signed: unknown[] = [];
  const asked: unknown[] = [];
  const turns: number[] = [];
  const stubs: Stubs = {
    sources: {
      async open(from, rule, field) {
        asked.push([from, rule.parameter, field]);
        const source = given[field as keyof typeof given];
        if (source instanceof Error) throw source;
        return source;
      },
    },
    bucket: {
      async signPut(key, ttlMs) {
        signed.push([key, ttlMs]);
        if (failSign) throw failSign;
        return `put:${key}`;
      },
    },
    links: {
      async put(link, body, head) {
        const bytes = await readAll(body());
        if (failPut) throw failPut;
        puts.push({ link, bytes, head });
      },
    },
    faceId: {
      async createUploadUrl(action, region, turn) {
        if (failUrl) throw failUrl;
        await turn();
        const n = asked.push([action, region]);
        return { putLink: `put:${n}`, getLink: `get:${n}`, expiresAt: 9_000 - n, requestId: `r-${n}` };
      },
    },
  };
  const context = stageContext(stubs, {
    uploadUrlTurns: (count) => {
      turns.push(count);
      return async () => ({ missed: () => false });
    },
  });
  return { context, puts, signed, asked, turns, given };
}

describe('the upload to the own bucket', () => {
  it('sends each resource under a key of verification and generation', async () => {
    const { context, puts, signed, asked, given } = world();
    const outcome = await stages.upload(stageInput(), context, null);
    expect(outcome).toEqual({
      resources: {
        liveData: { bytes: 10, md5: MD5.liveData, object: place('temp/v1/2/liveData') },
        image: { bytes: 20, md5: MD5.image, object: place('temp/v1/2/image') },
      },
    });
    expect(asked).toEqual([
      [ORDER.resources.liveData, 'LiveDataUrl', 'resources.liveData'],
      [ORDER.resources.image, 'ImageUrl', 'resources.image'],
    ]);
    expect(signed).toEqual([
      ['temp/v1/2/liveData', PUT_LINK_MS],
      ['temp/v1/2/image', PUT_LINK_MS],
    ]);
    expect(puts).toEqual([
      {
        link: 'put:temp/v1/2/liveData',
        bytes: 'bytes',
        head: { sizeBytes: 10, md5: MD5.liveData, contentType: 'application/octet-stream', owner: 'v1' },
      },
      {
        link: 'put:temp/v1/2/image',
        bytes: 'bytes',
        head: { sizeBytes: 20, md5: MD5.image, contentType: 'application/octet-stream', owner: 'v1' },
      },
    ]);
    expect(Object.values(given).map((source) => 'closed' in source && source.closed)).toEqual([1, 1]);
  });

  it('copies no object that already lies there', async () => {
    const object = place('callers/1.gz');
    const { context, puts } = world({ sources: { 'resources.liveData': openSource({ place: object }) } });
    const outcome = await stages.upload(stageInput(), context, null);
    expect(outcome.resources.liveData).toEqual({ bytes: 10, md5: MD5.liveData, object });
    expect(puts.map(({ link }) => link)).toEqual(['put:temp/v1/2/image']);
  });

  it.each([
    ['bucket', place('callers/1.gz', 'theirs-1250000000')],
    ['region', { ...place('callers/1.gz'), region: 'ap-bangkok' }],
  ])('copies an object of another %s', async (_what, object) => {
    const { context, puts } = world({ sources: { 'resources.liveData': openSource({ place: object }) } });
    const outcome = await stages.upload(stageInput(), context, null);
    expect(outcome.resources.liveData?.object).toEqual({
      ...OWN_BUCKET,
      name: undefined,
      bucket: OWN_BUCKET.name,
      key: 'temp/v1/2/liveData',
    });
    expect(puts).toHaveLength(2);
  });

  it.each([
    ['the PUT', { failPut: denied() }],
    ['the signature', { failSign: denied() }],
  ])('charges a failure of %s to the deployment', async (_what, trouble) => {
    const { context, given } = world(trouble);
    await expect(stages.upload(stageInput(), context, null)).rejects.toMatchObject({
      about: 'deployment',
      dependency: 'cos:put',
    });
    expect(Object.values(given).map((source) => 'closed' in source && source.closed)).toEqual([1, 1]);
  });
});

describe('the upload through CreateUploadUrl', () => {
  it('keeps the vendor’s links, and when the first of them expires', async () => {
    const { context, puts, turns } = world();
    const outcome = await stages.upload(stageInput({ order: VENDOR }), context, null);
    expect(turns).toEqual([2]);
    expect(outcome).toEqual({
      resources: {
        liveData: { bytes: 10, md5: MD5.liveData, link: 'get:3', requestId: 'r-3' },
        image: { bytes: 20, md5: MD5.image, link: 'get:4', requestId: 'r-4' },
      },
      linksExpireAt: 9_000 - 4,
    });
    expect(puts.map(({ link, bytes }) => [link, bytes])).toEqual([
      ['put:3', 'bytes'],
      ['put:4', 'bytes'],
    ]);
    expect(puts[0]?.head).toEqual({ sizeBytes: 10, md5: MD5.liveData, contentType: 'application/octet-stream' });
  });

  it.each([
    ['the call', { failUrl: denied() }, 'CreateUploadUrl'],
    ['the PUT', { failPut: denied() }, 'cos:put'],
  ])('charges a failure of %s to the deployment', async (_what, trouble, dependency) => {
    const { context } = world(trouble);
    await expect(stages.upload(stageInput({ order: VENDOR }), context, null)).rejects.toMatchObject({
      about: 'deployment',
      dependency,
    });
  });
});

describe('a source', () => {
  const changed = () =>
    new Failure({ service: 'source', channel: 'local', code: 'SOURCE_CHANGED', sent: 'no' }, 'changed');
  const changing = (md5: string) =>
    openSource({
      md5,
      // biome-ignore lint/correctness/useYield: it fails before its first byte
      async *stream() {
        throw changed();
      },
    });

  it.each([ORDER, VENDOR])('that changes while it is sent is charged to the caller ($upload)', async (order) => {
    const { context } = world({ sources: { 'resources.image': changing(MD5.image) } });
    await expect(stages.upload(stageInput({ order }), context, null)).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      about: 'caller',
      dependency: 'source:photos.example',
    });
  });

  it('that is a file is charged to nobody: the disk may be at fault', async () => {
    const { context } = world({ sources: { 'resources.liveData': denied() } });
    const failed = openResources(stageInput(), context);
    await expect(failed).rejects.toMatchObject({ code: 'AccessDenied', about: undefined, dependency: undefined });
  });

  it('that is missing fails by its name, and the others are closed', async () => {
    const { context, given } = world();
    const order = { ...ORDER, resources: { liveData: ORDER.resources.liveData } } as typeof ORDER;
    await expect(openResources(stageInput({ order }), context)).rejects.toMatchObject({
      code: 'INVALID_VERIFICATION',
      field: 'resources.image',
      message: 'resources.image is missing: give a source for it',
    });
    expect(given['resources.liveData']).toMatchObject({ closed: 1 });
  });

  it('that cannot be opened is charged to the caller, and the others are closed', async () => {
    const { context, given } = world({ sources: { 'resources.image': denied() } });
    await expect(openResources(stageInput(), context)).rejects.toMatchObject({
      about: 'caller',
      dependency: 'source:photos.example',
    });
    expect(given['resources.liveData']).toMatchObject({ closed: 1 });
  });

  it('that was opened before the stage is not opened again, and closed by it', async () => {
    const { context, asked, given } = world();
    const opened = await openResources(stageInput(), context);
    asked.length = 0;
    await stages.upload(stageInput(), context, opened);
    expect(asked).toEqual([]);
    expect(given['resources.liveData']).toMatchObject({ closed: 1 });
  });

  it('with the same bytes as the other is refused before anything is sent', async () => {
    const { context, puts, given } = world({ sources: { 'resources.image': openSource() } });
    await expect(stages.upload(stageInput(), context, null)).rejects.toMatchObject({
      code: 'SAME_RESOURCE',
      field: 'resources.image',
      message: 'resources.image has the same bytes as resources.liveData: give two different resources',
    });
    expect(puts).toEqual([]);
    expect(given['resources.image']).toMatchObject({ closed: 1 });
  });
});

it('ends only when every upload has ended, even if one has failed', async () => {
  const { context, given } = world();
  let finish: () => void = () => expect.fail('nothing was sent');
  const links = {
    put: (link: string) =>
      link.endsWith('image')
        ? Promise.reject(denied())
        : new Promise<void>((resolve) => {
            finish = resolve;
          }),
  };
  const slow = { ...context, edges: { ...context.edges, links: links as never } };
  let ended = false;
  const result = stages.upload(stageInput(), slow, null).finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(false);
  expect(given['resources.liveData']).toMatchObject({ closed: 0 });
  finish();
  await expect(result).rejects.toMatchObject({ code: 'AccessDenied' });
});

it('uses the signal of the stage', async () => {
  const signals: unknown[] = [];
  const { context } = world();
  const watched = {
    ...context,
    edges: {
      ...context.edges,
      links: { put: async (...args: unknown[]) => void signals.push(args[3]) } as never,
    },
  };
  await stages.upload(stageInput(), watched, null);
  await stages.upload(stageInput({ order: VENDOR }), watched, null);
  expect(new Set(signals)).toEqual(new Set([context.signal]));
});
