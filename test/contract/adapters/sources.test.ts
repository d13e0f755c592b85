/** The three kinds of sources: what is judged before a byte is sent, and that what is streamed is what was hashed. */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, readdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkAtBorder } from '../../../src/client/border.ts';
import { ACTIONS, type ResourceRule } from '../../../src/domain/actions.ts';
import type { OpenSource, Sources } from '../../../src/domain/ports.ts';
import type { Source } from '../../../src/domain/sources.ts';
import { verificationRequest } from '../../../src/domain/verification.ts';
import { sampleImage, sampleLiveData, sampleVideo } from '../../../src/emulator/samples.ts';
import { createSources } from '../../../src/storage/sources.ts';
import { createTransport } from '../../../src/transport/transport.ts';
import { type Bench, collect, failing, md5Of, never, openBench, REGION, startFar, temporaryDir } from './support.ts';

const FIELD = 'resources.image';
const { image: IMAGE, liveData: PACKAGE } = ACTIONS.DetectReflectLivenessAndCompare.resources as Record<
  'image' | 'liveData',
  ResourceRule
>;
const CALLER = { class: 'caller', field: FIELD } as const;
const picture = sampleImage('sources');

let bench: Bench;
let root: string;
let sources: Sources;
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  bench = await openBench();
});
beforeEach(async () => {
  root = join(await temporaryDir(), 'root');
  await mkdir(root);
  opened.push({ close: () => rm(join(root, '..'), { recursive: true }) });
  sources = createSources({
    roots: [root],
    transport: bench.transport,
    buckets: new Map([[REGION, bench.bucket]]),
    spoolDir: join(root, '..', 'spool'),
  });
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
  await bench.control.reset();
});
afterAll(() => bench.close());

async function open(source: Source, rule: ResourceRule = IMAGE, signal = never()): Promise<OpenSource> {
  const source_ = await sources.open(source, rule, FIELD, signal);
  opened.push(source_);
  return source_;
}

async function written(bytes: Uint8Array | string, name = 'a.jpg'): Promise<string> {
  const path = join(root, name);
  await writeFile(path, bytes);
  return path;
}

/** What is wrong with content is wrong wherever it comes from. */
const UNFIT: readonly (readonly [code: string, what: string, content: Uint8Array | string])[] = [
  ['SOURCE_EMPTY', 'nothing', ''],
  ['SOURCE_TOO_LARGE', 'too much', Buffer.concat([picture, Buffer.alloc(IMAGE.maxBytes)])],
  ['SOURCE_NOT_BYTES', 'Base64', picture.toString('base64')],
  ['SOURCE_NOT_BYTES', 'Base64 in lines and quotes', `"${picture.toString('base64').replace(/.{76}/g, '$&\r\n')}"`],
  ['SOURCE_NOT_BYTES', 'URL-safe Base64', picture.toString('base64url')],
  ['SOURCE_NOT_BYTES', 'a data: URL', `data:image/jpeg;base64,${picture.toString('base64')}`],
  ['SOURCE_WRONG_KIND', 'a package', sampleLiveData({ card: 'match' })],
  ['SOURCE_WRONG_KIND', 'a video', sampleVideo({ card: 'match' })],
  ['SOURCE_WRONG_KIND', 'text', '<html>not found</html>'],
  ['SOURCE_WRONG_KIND', 'two bytes', Buffer.from([0xff, 0xd8])],
];

describe('a file', () => {
  const file = (path: string, md5?: string) => open({ from: 'file', path, ...(md5 === undefined ? {} : { md5 }) });

  test('is hashed, and streamed as often as is asked', async () => {
    const source = await file(await written(picture), md5Of(picture).toUpperCase());
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Of(picture) });
    expect(await collect(source.stream())).toEqual(picture);
    expect(await collect(source.stream())).toEqual(picture);
  });

  test.each(UNFIT)('%s: %s', async (code, _what, content) => {
    await failing(file(await written(content)), { ...CALLER, code, sent: 'no' });
  });

  test.each([
    ['liveData', sampleLiveData({ card: 'match' })],
    ['video', sampleVideo({ card: 'match' })],
  ] as const)('each kind is known: %s', async (name, bytes) => {
    const rule = { liveData: PACKAGE, video: ACTIONS.VideoLivenessCompare.resources.video }[name] as ResourceRule;
    const source = await open({ from: 'file', path: await written(bytes) }, rule);
    expect(source.md5).toBe(md5Of(bytes));
  });

  test('that is missing', async () => {
    await failing(file(join(root, 'none.jpg')), { ...CALLER, code: 'SOURCE_MISSING' });
    await failing(file(join(await written(picture), 'below-a-file.jpg')), { ...CALLER, code: 'SOURCE_MISSING' });
  });

  test('that is none', async () => {
    await failing(file(root), { ...CALLER, code: 'SOURCE_UNREADABLE' });
    const fifo = join(root, 'fifo');
    execFileSync('sh', ['-c', 'mkfifo "$0"', fifo]);
    await failing(file(fifo), { ...CALLER, code: 'SOURCE_UNREADABLE' });
    const loop = join(root, 'loop');
    await symlink(loop, loop);
    await failing(file(loop), { ...CALLER, code: 'SOURCE_UNREADABLE' });
  });

  test('outside the roots, there or not', async () => {
    const outside = join(root, '..', 'outside.jpg');
    await failing(file(outside), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await writeFile(outside, picture);
    await failing(file(outside), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await failing(file(join(root, '..', 'outside.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await failing(file(join(outside, 'below')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await mkdir(`${root}-sibling`);
    await writeFile(join(`${root}-sibling`, 'a.jpg'), picture);
    await failing(file(join(`${root}-sibling`, 'a.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
  });

  test('links out of the roots lead nowhere; links inside, and roots that are links, are fine', async () => {
    const outside = join(root, '..', 'outside.jpg');
    await writeFile(outside, picture);
    await symlink(outside, join(root, 'out.jpg'));
    await symlink(join(root, '..'), join(root, 'up'));
    await failing(file(join(root, 'out.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await failing(file(join(root, 'up', 'outside.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });

    await symlink(await written(picture), join(root, 'in.jpg'));
    await expect(file(join(root, 'in.jpg'))).resolves.toMatchObject({ md5: md5Of(picture) });
    await symlink(root, join(root, '..', 'alias'));
    sources = createSources({ roots: [join(root, '..', 'alias')], transport: bench.transport, buckets: new Map() });
    await expect(file(join(root, '..', 'alias', 'a.jpg'))).resolves.toMatchObject({ md5: md5Of(picture) });
  });

  test('no roots, no files; a root that is missing is the operator’s', async () => {
    const path = await written(picture);
    sources = createSources({ roots: [], transport: bench.transport, buckets: new Map() });
    await failing(file(path), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    sources = createSources({ roots: [`${root}-none`], transport: bench.transport, buckets: new Map() });
    await failing(file(path), { code: 'INVALID_SETTINGS', class: 'account' });
  });

  test('with another MD5 than was said', async () => {
    const call = file(await written(picture), '0'.repeat(32));
    await failing(call, { ...CALLER, code: 'SOURCE_MD5_MISMATCH', field: `${FIELD}.md5` });
  });

  test.each([
    ['overwritten', (path: string) => writeFile(path, Buffer.from(picture).reverse())],
    ['longer', (path: string) => appendFile(path, 'x')],
    ['shorter', (path: string) => truncate(path, 100)],
    ['emptied', (path: string) => truncate(path, 0)],
  ])('%s after it was hashed', async (_how, change) => {
    const path = await written(picture);
    const source = await file(path);
    await change(path);
    await failing(collect(source.stream()), { code: 'SOURCE_CHANGED', class: 'caller' });
  });

  test('written to while it is hashed', async () => {
    const path = await written(sampleLiveData({ card: 'match', padBytes: 2 ** 24 }));
    const call = open({ from: 'file', path }, PACKAGE);
    let at = 0;
    let done = false;
    const writing = (async () => {
      // Times of writing that differ, until it has ended.
      while (!done) await utimes(path, 1, ++at);
    })();
    const failed = failing(call, { code: 'SOURCE_CHANGED', class: 'caller' });
    await failed.finally(() => {
      done = true;
    });
    await writing;
  });

  test('replaced by another: what was hashed is streamed', async () => {
    const path = await written(picture);
    const source = await file(path);
    await rename(await written(sampleImage('another'), 'b.jpg'), path);
    expect(await collect(source.stream())).toEqual(picture);
  });

  test('is given up', async () => {
    const path = await written(picture);
    await failing(open({ from: 'file', path }, IMAGE, AbortSignal.abort()), { code: 'ABORTED', class: 'transient' });
  });
});

test('the border says the same of a file, before anything is stored', async () => {
  const bytes = sampleLiveData({ card: 'match' });
  const liveData = { from: 'file', path: await written(bytes, 'a.gz'), md5: md5Of(bytes) };
  const border = (image: object, fileRoots: string[] | undefined = [root]) => {
    const request = { key: 'k', region: REGION, upload: 'own-bucket', resources: { liveData, image } };
    return checkAtBorder(verificationRequest.parse(request), fileRoots === undefined ? {} : { fileRoots });
  };
  await border({ from: 'file', path: await written(picture) });
  const md5 = '0'.repeat(32);
  const wrong = border({ from: 'file', path: join(root, 'a.jpg'), md5 });
  await failing(wrong, { code: 'SOURCE_MD5_MISMATCH', class: 'caller', field: `${FIELD}.md5`, sent: 'no' });
  await failing(border({ from: 'file', path: join(root, 'b.jpg') }), { ...CALLER, code: 'SOURCE_MISSING' });
  const text = await written(picture.toString('base64'), 'text.jpg');
  await failing(border({ from: 'file', path: text }), { ...CALLER, code: 'SOURCE_NOT_BYTES' });
  await failing(border({ from: 'file', path: text }, [`${root}/none/..`]), { ...CALLER, code: 'SOURCE_NOT_BYTES' });
});

describe('an https source', () => {
  const URL_ = 'https://photos.example.com/a.jpg';
  const https = (url = URL_, md5?: string, signal = never()) =>
    open({ from: 'https', url, ...(md5 === undefined ? {} : { md5 }) }, IMAGE, signal);
  const gets = () => bench.control.calls({ service: 'origin' });

  test('is read once, and streamed from a file that nobody else sees', async () => {
    await bench.control.putOrigin(URL_, picture);
    const source = await https(`${URL_}?signature=1`, md5Of(picture));
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Of(picture) });
    expect(await readdir(join(root, '..', 'spool'))).toEqual([]);
    await bench.control.putOrigin(URL_, sampleImage('another'));
    expect(await collect(source.stream())).toEqual(picture);
    expect(await gets()).toHaveLength(1);
  });

  test.each(UNFIT)('%s: %s', async (code, _what, content) => {
    await bench.control.putOrigin(URL_, Buffer.from(content));
    await failing(https(), { ...CALLER, code });
  });

  test('with another MD5 than was said', async () => {
    await bench.control.putOrigin(URL_, picture);
    await failing(https(URL_, '0'.repeat(32)), { ...CALLER, code: 'SOURCE_MD5_MISMATCH', field: `${FIELD}.md5` });
  });

  test.each([
    [404, 'SOURCE_HTTP', 'caller'],
    [403, 'SOURCE_HTTP', 'caller'],
    [304, 'SOURCE_HTTP', 'caller'],
    [429, 'SOURCE_UNAVAILABLE', 'transient'],
    [503, 'SOURCE_UNAVAILABLE', 'transient'],
  ])('status %i', async (status, code, kind) => {
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { status });
    await failing(https(), {
      service: 'source',
      code,
      class: kind,
      field: FIELD,
      httpStatus: status,
      sent: 'answered',
    });
  });

  test('a hiccup, and an answer that breaks off, are tried again', async () => {
    await bench.control.putOrigin(URL_, picture);
    await bench.control.fault({ kind: 'cut', service: 'origin' });
    expect(await https()).toMatchObject({ md5: md5Of(picture) });
    await bench.control.fault({ kind: 'status', status: 500, service: 'origin' });
    expect(await https()).toMatchObject({ md5: md5Of(picture) });
  });

  test('a redirect is followed, and three of them', async () => {
    await bench.control.putOrigin('https://cdn.example.com/3', picture);
    await bench.control.putOrigin('https://photos.example.com/2', Buffer.alloc(0), {
      location: 'https://cdn.example.com/3',
    });
    await bench.control.putOrigin('https://photos.example.com/1', Buffer.alloc(0), {
      location: 'https://photos.example.com/2',
    });
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { location: 'https://photos.example.com/1' });
    expect(await https()).toMatchObject({ md5: md5Of(picture) });
  });

  test.each([
    ['round and round', URL_, 'REDIRECT_REFUSED'],
    ['to http', 'http://photos.example.com/a.jpg', 'NOT_HTTPS'],
    ['to this machine', 'https://127.0.0.1/a.jpg', 'ADDRESS_FORBIDDEN'],
    ['to this machine by another spelling', 'https://0x7f000001/', 'ADDRESS_FORBIDDEN'],
    ['to this machine by IPv6', 'https://[::ffff:127.0.0.1]/', 'ADDRESS_FORBIDDEN'],
    ['to the metadata service', 'https://169.254.0.23/latest', 'ADDRESS_FORBIDDEN'],
    ['to a local name', 'https://metadata.tencentyun.internal/', 'ADDRESS_FORBIDDEN'],
    ['with a password', 'https://user:pass@photos.example.com/', 'NOT_HTTPS'],
  ])('a redirect %s', async (_where, location, code) => {
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { location });
    await failing(https(), { ...CALLER, service: 'source', code });
    expect((await gets()).length).toBeLessThanOrEqual(4);
  });

  test.each([
    'https://127.0.0.1/a',
    'https://10.1.2.3/a',
    'https://100.64.0.1/a',
    'https://192.168.0.1/a',
    'https://[::1]/a',
    'https://[fd00::1]/a',
    'https://[64:ff9b::7f00:1]/a',
    'https://localhost/a',
    'https://redis/a',
  ])('a private address: %s', async (url) => {
    await failing(https(url), { ...CALLER, service: 'source', code: 'ADDRESS_FORBIDDEN', sent: 'no' });
    const direct = createTransport({ mode: 'test' });
    opened.push(direct);
    sources = createSources({ roots: [], transport: direct, buckets: new Map() });
    await failing(https(url), { ...CALLER, service: 'source', code: 'ADDRESS_FORBIDDEN', sent: 'no' });
    const request = { key: 'k', region: REGION, upload: 'own-bucket', resources: resources(url) };
    const border = checkAtBorder(verificationRequest.parse(request), {});
    await failing(border, { class: 'caller', field: `${FIELD}.url`, code: 'ADDRESS_FORBIDDEN' });
  });

  const resources = (url: string) => ({
    liveData: { from: 'cos', bucket: 'a-1250000000', region: REGION, key: 'a' },
    image: { from: 'https', url },
  });

  test('no https', async () => {
    await failing(https('http://photos.example.com/a.jpg'), { ...CALLER, service: 'source', code: 'NOT_HTTPS' });
  });

  test('a redirect may be relative, but not nonsense', async () => {
    const end = await startFar((request, response) => {
      const where = { '/a.jpg': 'b/c.jpg?x=1', '/nonsense': 'https://' }[request.url ?? ''];
      response.writeHead(where === undefined ? 200 : 302, where === undefined ? {} : { location: where });
      response.end(request.url === '/b/c.jpg?x=1' ? picture : '');
    });
    const transport = createTransport({ mode: 'test', proxy: end.proxyUrl, caFile: end.caFile });
    opened.push(transport, end);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    expect(await https()).toMatchObject({ md5: md5Of(picture) });
    const nonsense = https('https://photos.example.com/nonsense');
    await failing(nonsense, { ...CALLER, service: 'source', code: 'NOT_HTTPS' });
  });

  test('a body without a length is cut off where it is too much', async () => {
    const end = await startFar((_request, response) => {
      const more = () => {
        if (response.write(Buffer.alloc(65_536))) setImmediate(more);
        else response.once('drain', more);
      };
      response.write(picture, more);
    });
    const transport = createTransport({ mode: 'test', proxy: end.proxyUrl, caFile: end.caFile });
    opened.push(transport, end);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    await failing(https(), { ...CALLER, code: 'SOURCE_TOO_LARGE' });
    expect(await readdir(root)).toEqual([]);
  });

  test('a spool folder that cannot be', async () => {
    await bench.control.putOrigin(URL_, picture);
    const spoolDir = join(await written('a file'), 'below');
    sources = createSources({ roots: [], transport: bench.transport, buckets: new Map(), spoolDir });
    await failing(https(), { code: 'SINK_UNWRITABLE', class: 'transient' });
  });

  test('is given up while it is read', async () => {
    await bench.control.putOrigin(URL_, picture);
    await bench.control.fault({ kind: 'hold', service: 'origin' });
    const giveUp = new AbortController();
    const failed = failing(https(URL_, undefined, giveUp.signal), { code: 'ABORTED', class: 'transient' });
    await bench.control.waitFor({ event: 'held' });
    giveUp.abort();
    await failed;
  });
});

describe('an object in COS', () => {
  const KEY = 'sources/a b.jpg';
  const cos = (more: Partial<Extract<Source, { from: 'cos' }>> = {}) =>
    open({ from: 'cos', bucket: bench.bucket.name, region: REGION, key: KEY, ...more });
  const put = (content: Uint8Array | string) => bench.control.putObject(bench.bucket.name, KEY, Buffer.from(content));

  test('is hashed where it lies, and says where that is', async () => {
    await put(picture);
    const source = await cos({ md5: md5Of(picture) });
    const place = { bucket: bench.bucket.name, region: REGION, key: KEY };
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Of(picture), place });
    expect(await collect(source.stream())).toEqual(picture);
  });

  test.each(UNFIT)('%s: %s', async (code, _what, content) => {
    await put(content);
    await failing(cos(), { ...CALLER, code });
  });

  test('that is not there, or whose bucket is not', async () => {
    await failing(cos({ key: 'none' }), { ...CALLER, code: 'SOURCE_MISSING' });
    await failing(cos({ bucket: 'nobody-1250000000' }), { ...CALLER, code: 'SOURCE_MISSING' });
  });

  test('that the keys may not read', async () => {
    await bench.control.fault({ kind: 'error', code: 'AccessDenied', status: 403, service: 'cos' });
    await failing(cos(), { ...CALLER, code: 'SOURCE_UNREADABLE' });
  });

  test('in a region without a bucket', async () => {
    const call = cos({ region: 'ap-bangkok' });
    await failing(call, { code: 'NO_BUCKET', class: 'account', field: `${FIELD}.region` });
  });

  test('overwritten after it was hashed', async () => {
    await put(picture);
    const source = await cos();
    await put(sampleImage('another1'));
    await failing(collect(source.stream()), { code: 'SOURCE_CHANGED', class: 'caller' });
  });

  test('with another MD5 than was said', async () => {
    await put(picture);
    await failing(cos({ md5: '0'.repeat(32) }), { ...CALLER, code: 'SOURCE_MD5_MISMATCH', field: `${FIELD}.md5` });
  });
});
