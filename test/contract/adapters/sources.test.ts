/**
 * Tests the three kinds of sources: each source is checked before a byte is sent, and exactly the hashed bytes are
 * streamed.
 */
import { execFileSync } from 'node:child_process';
import { appendFile, mkdir, readdir, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sourceHeaders } from '../../../src/adapters/http/source-headers.ts';
import { createTransport } from '../../../src/adapters/http/transport.ts';
import { openBeneath, openFolder, SymbolicLinkError } from '../../../src/adapters/storage/open-beneath.ts';
import { createSources } from '../../../src/adapters/storage/sources.ts';
import { checkSources } from '../../../src/client/redis/check-sources.ts';
import type { OpenSource, Sources } from '../../../src/domain/ports.ts';
import { ACTIONS, type ResourceRule } from '../../../src/domain/verification/actions.ts';
import { verificationRequest } from '../../../src/domain/verification/request.ts';
import type { Source } from '../../../src/domain/verification/sources.ts';
import { USER_AGENT } from '../../../src/domain/version.ts';
import { sampleImage, sampleLiveData, sampleVideo } from '../../../src/emulator/samples.ts';
import {
  type Bench,
  collect,
  expectFailure,
  md5Hex,
  neverAborted,
  openBench,
  REGION,
  startScriptedServer,
  temporaryDir,
} from './support.ts';

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

async function open(source: Source, rule: ResourceRule = IMAGE, signal = neverAborted()): Promise<OpenSource> {
  const openSource = await sources.open(source, rule, FIELD, signal);
  opened.push(openSource);
  return openSource;
}

async function writeSource(bytes: Uint8Array | string, name = 'a.jpg'): Promise<string> {
  const path = join(root, name);
  await writeFile(path, bytes);
  return path;
}

/** Every kind of source refuses this content. */
const INVALID_CONTENT: readonly (readonly [code: string, what: string, content: Uint8Array | string])[] = [
  ['SOURCE_EMPTY', 'an empty source', ''],
  ['SOURCE_TOO_LARGE', 'a source above the limit', Buffer.concat([picture, Buffer.alloc(IMAGE.maxBytes)])],
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

  test('is hashed, and can be streamed any number of times', async () => {
    const source = await file(await writeSource(picture), md5Hex(picture).toUpperCase());
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Hex(picture) });
    expect(await collect(source.stream())).toEqual(picture);
    expect(await collect(source.stream())).toEqual(picture);
  });

  test.each(INVALID_CONTENT)('fails with %s for %s', async (code, _case, content) => {
    await expectFailure(file(await writeSource(content)), { ...CALLER, code, sent: 'no' });
  });

  test.each([
    ['liveData', sampleLiveData({ card: 'match' })],
    ['video', sampleVideo({ card: 'match' })],
  ] as const)('of each kind is recognised: %s', async (name, bytes) => {
    const rule = { liveData: PACKAGE, video: ACTIONS.VideoLivenessCompare.resources.video }[name] as ResourceRule;
    const source = await open({ from: 'file', path: await writeSource(bytes) }, rule);
    expect(source.md5).toBe(md5Hex(bytes));
  });

  test('fails if it is missing', async () => {
    await expectFailure(file(join(root, 'none.jpg')), { ...CALLER, code: 'SOURCE_MISSING' });
    await expectFailure(file(join(await writeSource(picture), 'below-a-file.jpg')), {
      ...CALLER,
      code: 'SOURCE_MISSING',
    });
  });

  test('fails if it is not a regular file', async () => {
    await expectFailure(file(root), { ...CALLER, code: 'SOURCE_UNREADABLE' });
    const fifo = join(root, 'fifo');
    execFileSync('sh', ['-c', 'mkfifo "$0"', fifo]);
    await expectFailure(file(fifo), { ...CALLER, code: 'SOURCE_UNREADABLE' });
    const loop = join(root, 'loop');
    await symlink(loop, loop);
    await expectFailure(file(loop), { ...CALLER, code: 'SOURCE_UNREADABLE' });
  });

  test('fails outside the roots, whether it exists or not', async () => {
    const outside = join(root, '..', 'outside.jpg');
    await expectFailure(file(outside), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await writeFile(outside, picture);
    await expectFailure(file(outside), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await expectFailure(file(join(root, '..', 'outside.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await expectFailure(file(join(outside, 'below')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    await mkdir(`${root}-sibling`);
    await writeFile(join(`${root}-sibling`, 'a.jpg'), picture);
    await expectFailure(file(join(`${root}-sibling`, 'a.jpg')), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
  });

  test('is not reached through symbolic links below a root, wherever they lead and whether the target exists', async () => {
    const outside = join(root, '..', 'outside.jpg');
    await writeFile(outside, picture);
    await mkdir(join(root, 'folder'));
    await writeFile(join(root, 'folder', 'a.jpg'), picture);
    const targets = {
      out: outside,
      gone: `${outside}-none`,
      up: join(root, '..'),
      in: join(root, 'folder'),
      proc: '/proc/self',
    };
    for (const [name, target] of Object.entries(targets)) await symlink(target, join(root, name));
    const messages = new Set<string>();
    for (const path of [
      'out',
      'gone',
      'up/outside.jpg',
      'up/none.jpg',
      'in/a.jpg',
      'proc/root/etc/passwd',
      'proc/none',
    ]) {
      const error = await file(join(root, path)).catch((reason: Error) => reason);
      expect(error, path).toMatchObject({ code: 'SOURCE_UNREADABLE', sent: 'no', field: FIELD });
      messages.add((error as Error).message);
    }
    expect([...messages]).toEqual([expect.stringContaining('symbolic link')]);
  });

  test.each([true, false])(
    'is opened beneath a folder without following links (by descriptors: %s)',
    async (byDescriptors) => {
      await mkdir(join(root, 'folder'));
      await writeFile(join(root, 'folder', 'a.jpg'), picture);
      await symlink(join(root, 'folder'), join(root, 'link'));
      await symlink(join(root, 'folder', 'a.jpg'), join(root, 'folder', 'link.jpg'));
      const folder = await openFolder(root);
      const { file: opened, stats } = await openBeneath(folder, ['folder', 'a.jpg'], byDescriptors);
      expect(Number(stats.size)).toBe(picture.byteLength);
      await opened.close();
      for (const steps of [['link', 'a.jpg'], ['link', 'none'], ['folder', 'link.jpg'], ['link']])
        await expect(openBeneath(folder, steps, byDescriptors)).rejects.toBeInstanceOf(SymbolicLinkError);
      await expect(openBeneath(folder, ['none', 'a.jpg'], byDescriptors)).rejects.toMatchObject({ code: 'ENOENT' });
      await folder.file.close();
    },
  );

  test('is found by the name of a root that is itself a link, and by its real path', async () => {
    const path = await writeSource(picture);
    await symlink(root, join(root, '..', 'alias'));
    sources = createSources({ roots: [join(root, '..', 'alias')], transport: bench.transport, buckets: new Map() });
    for (const name of [join(root, '..', 'alias', 'a.jpg'), path])
      await expect(file(name)).resolves.toMatchObject({ md5: md5Hex(picture) });
  });

  test('is not reached by another path that leads into a root, and the answer is the same if that path does not exist', async () => {
    const path = await writeSource(picture);
    await symlink(root, join(root, '..', 'way-in'));
    const others = [`/proc/self/root${path}`, `/proc/self/root${path}-none`, `/proc/self/cwd/x`, `/proc/1/root${path}`];
    const ways = [join(root, '..', 'way-in', 'a.jpg'), join(root, '..', 'way-in', 'none.jpg')];
    const messages = new Set<string>();
    for (const each of [...others, ...ways]) {
      const error = await file(each).catch((reason: Error) => reason);
      expect(error, each).toMatchObject({ code: 'SOURCE_OUTSIDE_ROOTS', sent: 'no' });
      messages.add((error as Error).message);
    }
    expect(messages.size).toBe(1);
  });

  test('is the one below the root even while a folder on its way is swapped for a link', async () => {
    const [folder, kept, away] = [join(root, 'swapped'), join(root, 'kept'), join(root, '..', 'away')];
    for (const [dir, bytes] of [
      [folder, picture],
      [away, Buffer.from(picture).reverse()],
    ] as const) {
      await mkdir(dir);
      await writeFile(join(dir, 'a.jpg'), bytes);
    }
    let done = false;
    const swapping = (async () => {
      while (!done) {
        await rename(folder, kept);
        await symlink(away, folder);
        await rm(folder);
        await rename(kept, folder);
      }
    })();
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => file(join(folder, 'a.jpg'))));
    done = true;
    await swapping;
    const md5s = outcomes.flatMap((each) => (each.status === 'fulfilled' ? each.value.md5 : []));
    expect(new Set([...md5s, md5Hex(picture)])).toEqual(new Set([md5Hex(picture)]));
    for (const each of outcomes) if (each.status === 'fulfilled') await each.value.close();
  });

  test('fails without roots, and a missing root is a failure of class machine', async () => {
    const path = await writeSource(picture);
    sources = createSources({ roots: [], transport: bench.transport, buckets: new Map() });
    await expectFailure(file(path), { ...CALLER, code: 'SOURCE_OUTSIDE_ROOTS' });
    sources = createSources({ roots: [`${root}-none`], transport: bench.transport, buckets: new Map() });
    await expectFailure(file(join(`${root}-none`, 'face.jpg')), { code: 'ROOT_UNREADABLE', class: 'machine' });
  });

  test('fails if its MD5 is not the expected one', async () => {
    const call = file(await writeSource(picture), '0'.repeat(32));
    await expectFailure(call, { ...CALLER, code: 'SOURCE_MD5_MISMATCH', field: `${FIELD}.md5` });
  });

  describe.each([
    ['overwritten', (path: string, bytes: Buffer) => writeFile(path, Buffer.from(bytes).reverse())],
    ['extended', (path: string) => appendFile(path, 'x')],
    ['truncated', (path: string) => truncate(path, 100)],
    ['emptied', (path: string) => truncate(path, 0)],
  ] as const)('if it is %s after it was hashed', (_case, change) => {
    test('a small one streams the hashed bytes', async () => {
      const path = await writeSource(picture);
      const source = await file(path);
      await change(path, picture);
      expect(await collect(source.stream())).toEqual(picture);
      expect(await collect(source.stream())).toEqual(picture); // an upload may be repeated
      await source.close();
    });

    test('a large one fails', async () => {
      const bytes = Buffer.from(sampleLiveData({ card: 'match', padBytes: 2 ** 19 }));
      const path = await writeSource(bytes);
      const source = await open({ from: 'file', path }, PACKAGE);
      await change(path, bytes);
      await expectFailure(collect(source.stream()), { code: 'SOURCE_CHANGED', class: 'caller' });
      await source.close();
    });
  });

  test('fails if it is written to while it is hashed', async () => {
    const path = await writeSource(sampleLiveData({ card: 'match', padBytes: 2 ** 24 }));
    const call = open({ from: 'file', path }, PACKAGE);
    let at = 0;
    let done = false;
    const writing = (async () => {
      // Change the modification time repeatedly until the call has ended.
      while (!done) await utimes(path, 1, ++at);
    })();
    const failed = expectFailure(call, { code: 'SOURCE_CHANGED', class: 'caller' });
    await failed.finally(() => {
      done = true;
    });
    await writing;
  });

  test('streams the hashed bytes even if another file replaces it', async () => {
    const path = await writeSource(picture);
    const source = await file(path);
    await rename(await writeSource(sampleImage('another'), 'b.jpg'), path);
    expect(await collect(source.stream())).toEqual(picture);
  });

  test('ends when the signal fires', async () => {
    const path = await writeSource(picture);
    await expectFailure(open({ from: 'file', path }, IMAGE, AbortSignal.abort()), {
      code: 'ABORTED',
      class: 'transient',
    });
  });
});

test('the producer checks a file in the same way before it stores anything', async () => {
  const bytes = sampleLiveData({ card: 'match' });
  const liveData = { from: 'file', path: await writeSource(bytes, 'a.gz'), md5: md5Hex(bytes) };
  const check = (image: object, fileRoots: string[] | undefined = [root]) => {
    const request = { key: 'k', region: REGION, upload: 'own-bucket', resources: { liveData, image } };
    return checkSources(verificationRequest.parse(request), fileRoots === undefined ? {} : { fileRoots });
  };
  await check({ from: 'file', path: await writeSource(picture) });
  const md5 = '0'.repeat(32);
  const wrong = check({ from: 'file', path: join(root, 'a.jpg'), md5 });
  await expectFailure(wrong, { code: 'SOURCE_MD5_MISMATCH', class: 'caller', field: `${FIELD}.md5`, sent: 'no' });
  await expectFailure(check({ from: 'file', path: join(root, 'b.jpg') }), { ...CALLER, code: 'SOURCE_MISSING' });
  const text = await writeSource(picture.toString('base64'), 'text.jpg');
  await expectFailure(check({ from: 'file', path: text }), { ...CALLER, code: 'SOURCE_NOT_BYTES' });
  await expectFailure(check({ from: 'file', path: text }, [`${root}/none/..`]), {
    ...CALLER,
    code: 'SOURCE_NOT_BYTES',
  });
});

describe('an https source', () => {
  const URL_ = 'https://photos.example.com/a.jpg';
  const https = (url = URL_, md5?: string, signal = neverAborted()) =>
    open({ from: 'https', url, ...(md5 === undefined ? {} : { md5 }) }, IMAGE, signal);
  const gets = () => bench.control.calls({ service: 'origin' });

  test('is read once, and streamed from an unnamed file', async () => {
    await bench.control.putOrigin(URL_, picture);
    const source = await https(`${URL_}?signature=1`, md5Hex(picture));
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Hex(picture) });
    expect(await readdir(join(root, '..', 'spool'))).toEqual([]);
    await bench.control.putOrigin(URL_, sampleImage('another'));
    expect(await collect(source.stream())).toEqual(picture);
    expect(await gets()).toHaveLength(1);
  });

  test.each(INVALID_CONTENT)('fails with %s for %s', async (code, _case, content) => {
    await bench.control.putOrigin(URL_, Buffer.from(content));
    await expectFailure(https(), { ...CALLER, code });
  });

  test('fails if its MD5 is not the expected one', async () => {
    await bench.control.putOrigin(URL_, picture);
    await expectFailure(https(URL_, '0'.repeat(32)), { ...CALLER, code: 'SOURCE_MD5_MISMATCH', field: `${FIELD}.md5` });
  });

  test.each([
    [404, 'SOURCE_HTTP', 'caller'],
    [403, 'SOURCE_HTTP', 'caller'],
    [304, 'SOURCE_HTTP', 'caller'],
    [429, 'SOURCE_UNAVAILABLE', 'transient'],
    [503, 'SOURCE_UNAVAILABLE', 'transient'],
  ])('fails with status %i', async (status, code, kind) => {
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { status });
    await expectFailure(https(), {
      service: 'source',
      code,
      class: kind,
      field: FIELD,
      httpStatus: status,
      sent: 'answered',
    });
  });

  test('is requested with a User-Agent; a failure names the HTTP status and the User-Agent', async () => {
    const server = await startScriptedServer((request, response) => {
      const isAdmitted = request.url !== '/refused' && request.headers['user-agent'] !== undefined;
      response.writeHead(isAdmitted ? 200 : 403).end(picture);
    });
    const transport = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile });
    opened.push(transport);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
    expect(server.requests[0]?.headers['user-agent']).toBe(USER_AGENT);
    const failure = await expectFailure(https('https://photos.example.com/refused'), {
      ...CALLER,
      service: 'source',
      code: 'SOURCE_HTTP',
    });
    expect(failure.message).toMatch(/status 403.*User-Agent bestframe/);
    await server.close();
  });

  test('is requested with the headers of its host, also after a redirect, and of no other host', async () => {
    const server = await startScriptedServer((request, response) => {
      if (request.url === '/a.jpg') response.writeHead(302, { location: 'https://cdn.example.com/b.jpg' }).end();
      else response.writeHead(200).end(picture);
    });
    const secrets = join(root, '..', 'secrets');
    await mkdir(secrets);
    await writeFile(join(secrets, 'token'), 'Bearer one\n');
    const headers = [
      { host: 'photos.example.com', name: 'authorization', secret: 'token' },
      { host: 'cdn.example.com', name: 'x-cdn', secret: 'cdn' },
    ];
    const options = { mode: 'test', proxy: server.proxyUrl, caFile: server.caFile } as const;
    const transport = createTransport({ ...options, sourceHeaders: sourceHeaders(headers, secrets) });
    opened.push(transport);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    const failure = await expectFailure(https(), { code: 'SOURCE_UNAVAILABLE', class: 'transient' });
    expect(failure.message).toMatch(/the secret cdn .*BESTFRAME_SOURCE_HEADERS_DIR/);
    await writeFile(join(secrets, 'cdn'), 'edge');
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
    await writeFile(join(secrets, 'token'), 'Bearer two'); // a new value counts at once
    await rm(join(secrets, 'cdn')); // the last value counts
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
    const sent = server.requests.slice(-4).map(({ headers: each }) => [each.host, each.authorization, each['x-cdn']]);
    expect(sent).toEqual([
      ['photos.example.com', 'Bearer one', undefined],
      ['cdn.example.com', undefined, 'edge'],
      ['photos.example.com', 'Bearer two', undefined],
      ['cdn.example.com', undefined, 'edge'],
    ]);
    await server.close();
  });

  test('whose answer has too large headers fails like any other answer that cannot be read', async () => {
    const server = await startScriptedServer((_request, response) => {
      response.writeHead(200, { 'x-large': 'x'.repeat(40_000) }).end(picture);
    });
    const transport = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile });
    opened.push(transport);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    const failure = await expectFailure(https(), { code: 'MALFORMED_REPLY', class: 'transient' });
    expect(failure.message).toContain('larger than 16 KiB');
    await server.close();
  });

  test('is requested again after a hiccup or a truncated answer', async () => {
    await bench.control.putOrigin(URL_, picture);
    await bench.control.fault({ kind: 'cut', service: 'origin' });
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
    await bench.control.fault({ kind: 'status', status: 500, service: 'origin' });
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
  });

  test('may redirect three times', async () => {
    await bench.control.putOrigin('https://cdn.example.com/3', picture);
    await bench.control.putOrigin('https://photos.example.com/2', Buffer.alloc(0), {
      location: 'https://cdn.example.com/3',
    });
    await bench.control.putOrigin('https://photos.example.com/1', Buffer.alloc(0), {
      location: 'https://photos.example.com/2',
    });
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { location: 'https://photos.example.com/1' });
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
  });

  test.each([
    ['in a circle', URL_, 'REDIRECT_REFUSED'],
    ['to http', 'http://photos.example.com/a.jpg', 'NOT_HTTPS'],
    ['to this machine', 'https://127.0.0.1/a.jpg', 'ADDRESS_FORBIDDEN'],
    ['to this machine by another spelling', 'https://0x7f000001/', 'ADDRESS_FORBIDDEN'],
    ['to this machine by IPv6', 'https://[::ffff:127.0.0.1]/', 'ADDRESS_FORBIDDEN'],
    ['to the metadata service', 'https://169.254.0.23/latest', 'ADDRESS_FORBIDDEN'],
    ['to a local name', 'https://metadata.tencentyun.internal/', 'ADDRESS_FORBIDDEN'],
    ['with a password', 'https://user:pass@photos.example.com/', 'NOT_HTTPS'],
  ])('must not redirect %s', async (_case, location, code) => {
    await bench.control.putOrigin(URL_, Buffer.alloc(0), { location });
    await expectFailure(https(), { ...CALLER, service: 'source', code });
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
  ])('must not have a private address: %s', async (url) => {
    await expectFailure(https(url), { ...CALLER, service: 'source', code: 'ADDRESS_FORBIDDEN', sent: 'no' });
    const direct = createTransport({ mode: 'test' });
    opened.push(direct);
    sources = createSources({ roots: [], transport: direct, buckets: new Map() });
    await expectFailure(https(url), { ...CALLER, service: 'source', code: 'ADDRESS_FORBIDDEN', sent: 'no' });
    const request = { key: 'k', region: REGION, upload: 'own-bucket', resources: resources(url) };
    const checking = checkSources(verificationRequest.parse(request), {});
    await expectFailure(checking, { class: 'caller', field: `${FIELD}.url`, code: 'ADDRESS_FORBIDDEN' });
  });

  const resources = (url: string) => ({
    liveData: { from: 'cos', bucket: 'a-1250000000', region: REGION, key: 'a' },
    image: { from: 'https', url },
  });

  test('must be https', async () => {
    await expectFailure(https('http://photos.example.com/a.jpg'), { ...CALLER, service: 'source', code: 'NOT_HTTPS' });
  });

  test('may redirect to a relative URL, but not to an invalid one', async () => {
    const end = await startScriptedServer((request, response) => {
      const where = { '/a.jpg': 'b/c.jpg?x=1', '/nonsense': 'https://' }[request.url ?? ''];
      response.writeHead(where === undefined ? 200 : 302, where === undefined ? {} : { location: where });
      response.end(request.url === '/b/c.jpg?x=1' ? picture : '');
    });
    const transport = createTransport({ mode: 'test', proxy: end.proxyUrl, caFile: end.caFile });
    opened.push(transport, end);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    expect(await https()).toMatchObject({ md5: md5Hex(picture) });
    const nonsense = https('https://photos.example.com/nonsense');
    await expectFailure(nonsense, { ...CALLER, service: 'source', code: 'NOT_HTTPS' });
  });

  test('is cut off at the size limit if its length is unknown', async () => {
    const end = await startScriptedServer((_request, response) => {
      const more = () => {
        if (response.write(Buffer.alloc(65_536))) setImmediate(more);
        else response.once('drain', more);
      };
      response.write(picture, more);
    });
    const transport = createTransport({ mode: 'test', proxy: end.proxyUrl, caFile: end.caFile });
    opened.push(transport, end);
    sources = createSources({ roots: [], transport, buckets: new Map(), spoolDir: root });
    await expectFailure(https(), { ...CALLER, code: 'SOURCE_TOO_LARGE' });
    expect(await readdir(root)).toEqual([]);
  });

  test('fails if the spool folder cannot be created', async () => {
    await bench.control.putOrigin(URL_, picture);
    const spoolDir = join(await writeSource('a file'), 'below');
    sources = createSources({ roots: [], transport: bench.transport, buckets: new Map(), spoolDir });
    await expectFailure(https(), { code: 'SPOOL_UNWRITABLE', class: 'machine' });
  });

  test('ends when the signal fires during the download', async () => {
    await bench.control.putOrigin(URL_, picture);
    await bench.control.fault({ kind: 'hold', service: 'origin' });
    const giveUp = new AbortController();
    const failed = expectFailure(https(URL_, undefined, giveUp.signal), { code: 'ABORTED', class: 'transient' });
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

  test('is hashed in place and carries its location', async () => {
    await put(picture);
    const source = await cos({ md5: md5Hex(picture) });
    const place = { bucket: bench.bucket.name, region: REGION, key: KEY };
    expect(source).toMatchObject({ sizeBytes: picture.length, md5: md5Hex(picture), place });
    expect(await collect(source.stream())).toEqual(picture);
  });

  test.each(INVALID_CONTENT)('fails with %s for %s', async (code, _case, content) => {
    await put(content);
    await expectFailure(cos(), { ...CALLER, code });
  });

  test('fails if it or its bucket is missing', async () => {
    await expectFailure(cos({ key: 'none' }), { ...CALLER, code: 'SOURCE_MISSING' });
    await expectFailure(cos({ bucket: 'nobody-1250000000' }), { ...CALLER, code: 'SOURCE_MISSING' });
  });

  test('fails if the keys may not read it', async () => {
    await bench.control.fault({ kind: 'error', code: 'AccessDenied', status: 403, service: 'cos' });
    await expectFailure(cos(), { ...CALLER, code: 'SOURCE_UNREADABLE' });
  });

  test('fails in a region without a configured bucket', async () => {
    const call = cos({ region: 'ap-bangkok' });
    await expectFailure(call, { code: 'NO_BUCKET', class: 'account', field: `${FIELD}.region` });
  });

  test('fails if it is overwritten after it was hashed', async () => {
    await put(picture);
    const source = await cos();
    await put(sampleImage('another1'));
    await expectFailure(collect(source.stream()), { code: 'SOURCE_CHANGED', class: 'caller' });
  });

  test('fails if its MD5 is not the expected one', async () => {
    await put(picture);
    await expectFailure(cos({ md5: '0'.repeat(32) }), {
      ...CALLER,
      code: 'SOURCE_MD5_MISMATCH',
      field: `${FIELD}.md5`,
    });
  });
});
