/** Tests the bucket with object lock against the emulator, and against answers that COS might give and the emulator does not. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { staticCredentials } from '../../../src/adapters/credentials/keys.ts';
import { createTransport, type Transport } from '../../../src/adapters/http/transport.ts';
import { createLinkIo, createLockedBucket } from '../../../src/adapters/storage/index.ts';
import type { LockedBucket } from '../../../src/domain/ports.ts';
import { EmulatorControl } from '../../../src/emulator/control.ts';
import type { Emulator } from '../../../src/emulator/index.ts';
import { startTestEmulator } from '../../support/emulator.ts';
import { expectFailure, neverAborted, REGION, type ScriptedServer, startScriptedServer } from './support.ts';

const LOCKED = 'evidence-1250000000';
const VERSIONED = 'versions-1250000000';
const PLAIN = 'plain-1250000000';
const MINUTE = 60_000;

let dir: string;
let emulator: Emulator;
let control: EmulatorControl;
let transport: Transport;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-contract-'));
  emulator = await startTestEmulator({
    dir,
    buckets: [
      { name: LOCKED, region: REGION, objectLock: { days: null } },
      { name: VERSIONED, region: REGION, versioning: 'Enabled', objectLock: { days: null } },
      { name: PLAIN, region: REGION },
    ],
  });
  control = new EmulatorControl(emulator.controlUrl);
  transport = createTransport({ mode: 'test', proxy: emulator.proxyUrl, caFile: emulator.caFile });
});
afterEach(() => control.reset());
afterAll(async () => {
  await transport.close();
  await emulator.close();
  await rm(dir, { recursive: true, force: true });
});

const open = (name: string): LockedBucket =>
  createLockedBucket(
    { name, region: REGION, credentials: staticCredentials(emulator.credentials), transport },
    createLinkIo(transport),
  );

let opened = 0;
const content = (text: string) => async () => {
  opened += 1;
  return {
    ...{ sizeBytes: text.length, md5: createHash('md5').update(text).digest('hex'), contentType: 'text/plain' },
    async *stream() {
      yield Buffer.from(text);
    },
    close: async () => undefined,
  };
};

describe.each([LOCKED, VERSIONED])('in %s, an object', (name) => {
  it('is written once with its lock, which a repetition makes longer, and never shorter', async () => {
    const bucket = open(name);
    const until = Math.ceil(Date.now() / 1_000) * 1_000 + MINUTE;
    opened = 0;
    for (const end of [until, until, until + MINUTE, until]) {
      await bucket.keep('f/v1/image', content('face'), { owner: 'v1', until: end }, neverAborted());
    }
    expect(opened).toBe(1);
    expect(await bucket.list('f/v1/', neverAborted())).toEqual([{ key: 'f/v1/image', until: until + MINUTE }]);
    expect(await bucket.read('f/v1/image', 100, neverAborted())).toBe('face');
    expect(await bucket.read('f/v1/nothing', 100, neverAborted())).toBeNull();
    expect(
      (await control.versions()).filter((each) => each.bucket === name && each.key.startsWith('f/v1/')),
    ).toHaveLength(1);
  });

  it('of somebody else is not replaced', async () => {
    const lock = { until: Date.now() + MINUTE };
    await open(name).keep('f/v2/image', content('one'), { ...lock, owner: 'v2' }, neverAborted());
    const other = open(name).keep('f/v2/image', content('two'), { ...lock, owner: 'v3' }, neverAborted());
    await expectFailure(other, { code: 'EVIDENCE_TAKEN', class: 'account' });
  });

  it('is deleted when its lock has ended, and only under its own folder', async () => {
    const bucket = open(name);
    const until = Math.ceil(Date.now() / 1_000) * 1_000 + MINUTE;
    for (const key of ['f/v4/image', 'f/v4/answer.sealed', 'f/v44/image'])
      await bucket.keep(key, content('face'), { owner: key, until }, neverAborted());
    expect(await bucket.removeUnlocked('f/v4/', Date.now(), neverAborted())).toEqual({
      versions: 0,
      locked: expect.arrayContaining([{ key: 'f/v4/image', until }]),
    });
    await control.settings({ clockSkewMs: 2 * MINUTE });
    expect(await bucket.removeUnlocked('f/v4/', until + 1, neverAborted())).toEqual({ versions: 2, locked: [] });
    expect((await bucket.list('f/', neverAborted())).map(({ key }) => key)).toContain('f/v44/image');
    expect(await bucket.removeUnlocked('f/v4/', until + 1, neverAborted())).toEqual({ versions: 0, locked: [] });
    for (const prefix of ['', '/', 'f/v4'])
      await expect(bucket.removeUnlocked(prefix, until, neverAborted())).rejects.toThrow('slash');
  });
});

it('says whether object lock is enabled', async () => {
  expect(await open(LOCKED).isEnabled(neverAborted())).toBe(true);
  expect(await open(PLAIN).isEnabled(neverAborted())).toBe(false);
  await expectFailure(open('missing-1250000000').isEnabled(neverAborted()), {
    code: 'BUCKET_REGION',
    class: 'account',
  });
});

describe('a server that', () => {
  let server: ScriptedServer;
  let own: Transport;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  beforeAll(async () => {
    server = await startScriptedServer((request, response) => {
      request.resume().on('end', () => answer(request, response));
    });
    own = createTransport({ mode: 'test', proxy: server.proxyUrl, caFile: server.caFile });
  });
  afterAll(async () => {
    await own.close();
    await server.close();
  });
  const bucket = () => {
    const credentials = staticCredentials({ secretId: 'AKIDexample', secretKey: 'secret-key' });
    return createLockedBucket({ name: LOCKED, region: REGION, credentials, transport: own }, createLinkIo(own));
  };
  const lock = { owner: 'v1', until: Date.now() + MINUTE };

  it('stores the object and ignores the lock is noticed', async () => {
    let isStored = false;
    answer = ({ method, url = '' }, response) => {
      if (method === 'HEAD') response.writeHead(isStored ? 200 : 404, { 'x-cos-meta-bestframe-id': 'v1' }).end();
      else if (method === 'PUT') {
        isStored = true;
        response.writeHead(200).end();
      } else response.writeHead(url.includes('retention') ? 404 : 200).end();
    };
    await expectFailure(bucket().keep('f/v1/image', content('face'), lock, neverAborted()), {
      code: 'EVIDENCE_UNLOCKED',
      class: 'account',
    });
  });

  it('answers a lock that cannot be read is not believed', async () => {
    answer = ({ method }, response) => {
      if (method === 'HEAD') response.writeHead(200, { 'x-cos-meta-bestframe-id': 'v1' }).end();
      else
        response
          .writeHead(200)
          .end('<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>soon</RetainUntilDate></Retention>');
    };
    await expectFailure(bucket().keep('f/v1/image', content('face'), lock, neverAborted()), {
      code: 'MALFORMED_REPLY',
      class: 'transient',
    });
  });

  it('says Enabled in another way, or something else, has no object lock', async () => {
    for (const [body, enabled] of [
      [
        '<ObjectLockConfiguration>\n <ObjectLockEnabled> Enabled </ObjectLockEnabled>\n</ObjectLockConfiguration>',
        true,
      ],
      ['<ObjectLockConfiguration><ObjectLockEnabled>Disabled</ObjectLockEnabled></ObjectLockConfiguration>', false],
      ['<ObjectLockConfiguration><Rule/></ObjectLockConfiguration>', false],
      ['not xml', false],
    ] as const) {
      answer = (_request, response) => void response.writeHead(200).end(body);
      expect(await bucket().isEnabled(neverAborted())).toBe(enabled);
    }
  });
});
