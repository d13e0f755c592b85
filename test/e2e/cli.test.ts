/** The commands as an operator types them, against a running world. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { cli } from '../support/cli.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

let world: TestWorld;

beforeAll(async () => {
  world = await createWorld({ workers: 1, settings: { BESTFRAME_QPS_DETECT: '50' } });
});
afterAll(() => world.dispose());

const run = (...args: string[]) => cli(args, world.env);

async function files(name: string, card = 'match'): Promise<{ live: string; image: string }> {
  const live = join(world.dir, 'inputs', `${name}.gz`);
  const image = join(world.dir, 'inputs', `${name}.jpg`);
  await writeFile(live, sampleLiveData({ card, nonce: name }));
  await writeFile(image, sampleImage(name));
  return { live, image };
}

describe('--help', () => {
  it.each([
    '',
    'demo',
    'dev',
    'start',
    'dashboard',
    'emulator',
    'enqueue',
    'get',
    'wait',
    'list',
    'cancel',
    'held',
    'gate',
    'keys',
    'metrics',
    'support',
    'doctor',
    'bucket',
    'errors',
  ])('%s', async (command) => {
    const { code, stdout } = await cli(command === '' ? ['--help'] : [command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: bestframe${command === '' ? '' : ` ${command}`}`);
    expect(stdout.split('\n').length).toBeGreaterThan(5);
  });

  it('an unknown command is refused with a hint', async () => {
    const { code, stderr } = await cli(['enqeue']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/unknown command 'enqeue'[\s\S]*enqueue/);
  });
});

it('keys: made once, listed without their secret, rotated, revoked; and each act is in the audit log', async () => {
  const log = join(world.dir, 'audit.log');
  const keys = (...args: string[]) => cli(['keys', ...args, '--json'], { ...world.env, BESTFRAME_AUDIT: log });
  const made = await keys('create', '--tenant', 'acme', '--scopes', 'read,frames', '--expires', '90d', '--by', 'ada');
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const { id, secret } = JSON.parse(made.stdout) as { id: string; secret: string };
  expect(secret).toMatch(new RegExp(`^bf_test_${id}_`));
  const listed = await keys();
  expect(JSON.parse(listed.stdout)).toMatchObject([{ id, tenant: 'acme', scopes: ['read', 'frames'] }]);
  expect(listed.stdout).not.toContain(secret);
  const rotated = JSON.parse((await keys('rotate', id, '--by', 'ada')).stdout) as { id: string; tenant: string };
  expect(rotated).toMatchObject({ tenant: 'acme' });
  expect(JSON.parse((await keys('revoke', id, '--by', 'bob')).stdout)).toMatchObject({ revokedAt: expect.any(String) });
  expect(await keys('revoke', '0123456789ab')).toMatchObject({ code: 1, stdout: 'null\n' });
  const acts = (await readFile(log, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(acts).toMatchObject([
    { act: 'key.create', actor: 'ada', tenant: 'acme', what: 'read,frames' },
    { act: 'key.rotate', actor: 'ada', on: id },
    { act: 'key.revoke', actor: 'bob', on: id },
    { act: 'key.revoke', on: '0123456789ab' },
  ]);
  const refused = await cli(['keys', 'create'], { ...world.env, BESTFRAME_AUDIT: '/dev/full' });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/AUDIT_UNAVAILABLE/);
  expect(JSON.parse((await keys()).stdout)).toHaveLength(2);
  expect((await run('keys', 'create', '--scopes', 'everything')).stderr).toMatch(
    /use submit,read,frames,operate,erase/,
  );
});

it('enqueue --wait, get, get --key, wait, list: for people and as JSON', async () => {
  const { live, image } = await files('walk');
  const enqueued = await run('enqueue', '--key', 'walk', '--live-data', live, '--image', image, '--wait', '--json');
  expect(enqueued).toMatchObject({ code: 0, stderr: '' });
  const view = JSON.parse(enqueued.stdout) as { id: string };
  expect(view).toMatchObject({
    key: 'walk',
    state: 'completed',
    decision: 'match',
    next: 'accept',
    upload: 'own-bucket',
  });

  const byId = await run('get', view.id, '--json');
  expect(JSON.parse(byId.stdout)).toEqual(view);
  const byKey = await run('get', '--key', 'walk');
  expect(byKey.stdout).toContain(view.id);
  expect(byKey.stdout).toMatch(/next\s+accept/);
  expect(byKey.stdout).toMatch(/detect\s+1 ×/);
  const waited = await run('wait', view.id, '--ended', '--json');
  expect(JSON.parse(waited.stdout)).toEqual(view);
  const listed = await run('list', '--ended', '--json');
  expect((JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id)).toContain(view.id);
  expect((await run('list')).stdout).toContain(view.id);

  const again = await run('enqueue', '--key', 'walk', '--live-data', live, '--image', image);
  expect(again.stdout).toContain('known already (completed)');
  expect((await run('cancel', view.id)).stdout).toContain('had ended');
});

it('support: what the vendor asks for, to paste or as JSON or into a file; metrics: as Prometheus reads them', async () => {
  const { live, image } = await files('ticket');
  await run('enqueue', '--key', 'ticket', '--live-data', live, '--image', image, '--wait', '--json');
  const [call] = await world.control.calls({
    action: 'DetectReflectLivenessAndCompare',
    object: world.client.idOf('ticket'),
  });
  const { code, stdout } = await run('support', '--key', 'ticket');
  expect(code).toBe(0);
  expect(stdout).toContain(`RequestId  ${call?.requestId}`);
  expect(stdout).toMatch(/LiveDataUrl {2}https:\/\/\S+\/liveData {2}\(\d+ bytes\)/);
  const out = join(world.dir, 'ticket.json');
  expect(await run('support', '--key', 'ticket', '--json', '--out', out)).toMatchObject({ code: 0, stdout: '' });
  const written = JSON.parse(await readFile(out, 'utf8'));
  expect(JSON.parse((await run('support', '--key', 'ticket', '--json')).stdout)).toEqual(written);
  expect(await run('support', 'vnothing')).toMatchObject({ code: 1, stdout: '' });

  expect((await run('metrics')).stdout).toMatch(/^bestframe_gate_open\{.*\} 1$/m);
  expect(JSON.parse((await run('metrics', '--json')).stdout)).toMatchObject({ counters: { unknownCodes: 0 } });
});

it('what is not there is said, and the exit code says so too', async () => {
  for (const args of [
    ['get', 'vnothing'],
    ['wait', 'vnothing'],
    ['cancel', 'vnothing'],
  ]) {
    const { code, stdout } = await run(...args);
    expect(code).toBe(1);
    expect(stdout).toContain('no such verification');
  }
});

describe('manifests', () => {
  it('JSON Lines: a broken line is named, the others go on, and each line has its result', async () => {
    const { live, image } = await files('jsonl');
    const resources = { liveData: { from: 'file', path: live }, image: { from: 'file', path: image } };
    const lines = [
      JSON.stringify({ key: 'm-1', resources }),
      '{"key": "m-2", ',
      '',
      JSON.stringify({ key: 'm 4', resources }),
      JSON.stringify({ key: 'm-5', resources, upload: 'create-upload-url', similarityThreshold: 80 }),
    ];
    const file = join(world.dir, 'batch.jsonl');
    await writeFile(file, lines.join('\n'));
    const { code, stdout } = await run('enqueue', '--manifest', file, '--wait', '--json');
    expect(code).toBe(1);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(rows).toMatchObject([
      { line: 1, key: 'm-1', status: 'new', error: null, view: { decision: 'match' } },
      { line: 2, status: 'refused', error: { code: 'INVALID_MANIFEST', message: expect.stringContaining('line 2') } },
      { line: 4, key: 'm 4', status: 'refused', error: { code: 'INVALID_VERIFICATION', field: 'key' } },
      {
        line: 5,
        key: 'm-5',
        status: 'new',
        view: { upload: 'create-upload-url', similarityThreshold: 80, lane: 'batch' },
      },
    ]);
    const words = await run('enqueue', '--manifest', file);
    expect(words.stderr).toMatch(
      /line 2: INVALID_MANIFEST[\s\S]*line 4: INVALID_VERIFICATION[\s\S]*2 enqueued, 2 refused/,
    );
  });

  it('JSON Lines from stdin', async () => {
    const { live, image } = await files('stdin');
    const resources = { liveData: { from: 'file', path: live }, image: { from: 'file', path: image } };
    const { code, stdout } = await cli(
      ['enqueue', '--manifest', '-', '--json'],
      world.env,
      `${JSON.stringify({ key: 'stdin', resources })}\n`,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ line: 1, key: 'stdin', status: 'new' });
  });

  it('CSV: by header, sources as on the command line', async () => {
    const { live, image } = await files('csv');
    const file = join(world.dir, 'batch.csv');
    const rows = [
      'key,liveData,image,similarityThreshold',
      `c-1,${live},${image},75`,
      `c-2,${live}`,
      `c-3,"${live}",${image},`,
    ];
    await writeFile(file, `\uFEFF${rows.join('\r\n')}\r\n`);
    const { code, stdout } = await run('enqueue', '--manifest', file, '--wait', '--json');
    expect(code).toBe(1);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(results).toMatchObject([
      { line: 2, key: 'c-1', view: { decision: 'match', similarityThreshold: 75 } },
      { line: 3, status: 'refused', error: { code: 'INVALID_MANIFEST' } },
      { line: 4, key: 'c-3', view: { decision: 'match', similarityThreshold: 70 } },
    ]);
  });

  it('CSV with liveness, for VideoLivenessCompare', async () => {
    const { image } = await files('csv-video');
    const video = join(world.dir, 'inputs', 'csv.mp4');
    await writeFile(video, sampleVideo({ card: 'match' }));
    const file = join(world.dir, 'video.csv');
    await writeFile(file, `key,video,image,action,liveness\nv-1,${video},${image},VideoLivenessCompare,SILENT\n`);
    const { code, stdout } = await run('enqueue', '--manifest', file, '--wait', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      key: 'v-1',
      view: { action: 'VideoLivenessCompare', decision: 'match' },
    });
  });

  it('that is not there', async () => {
    expect(await run('enqueue', '--manifest', '/nowhere.jsonl')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('INVALID_MANIFEST'),
    });
  });
});

describe('doctor', () => {
  const statuses = (stdout: string) =>
    (JSON.parse(stdout).checks as { name: string; status: string }[]).map(({ name, status }) => `${status} ${name}`);

  it('all well: exit code 0, in words and as JSON, and --live says what it does', async () => {
    await run('bucket', 'init');
    const words = await run('doctor');
    expect(words).toMatchObject({ code: 0, stderr: '' });
    expect(words.stdout).toMatch(/^ok {7}redis {2}[\s\S]*\n\d+ ok, 0 to look at, 0 failed, 1 skipped\n$/);
    const live = await run('doctor', '--live', '--json');
    expect(live).toMatchObject({ code: 0, stderr: expect.stringContaining('not guaranteed') });
    const report = JSON.parse(live.stdout) as { ok: boolean; checks: object[] };
    expect(report.ok).toBe(true);
    expect(new Set(report.checks.map((check) => Object.keys(check).join()))).toEqual(
      new Set(['name,status,found,advice']),
    );
    expect(statuses(live.stdout).filter((each) => !each.startsWith('ok '))).toEqual([]);
  });

  it('something fails: exit code 1; bad settings: 2', async () => {
    const failing = await cli(['doctor', '--json'], { ...world.env, TENCENTCLOUD_SECRET_KEY: 'another' });
    expect(failing).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(failing.stdout).ok).toBe(false);
    expect(statuses(failing.stdout)).toContain('fail credentials');
    const bad = await cli(['doctor', '--json'], { ...world.env, BESTFRAME_SLOTS: 'many' });
    expect(bad).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('INVALID_SETTINGS') });
    const noCa = await cli(['doctor'], { ...world.env, BESTFRAME_CA_FILE: '/nowhere.pem' });
    expect(noCa).toMatchObject({ code: 2, stderr: expect.stringContaining('BESTFRAME_CA_FILE') });
  });
});

describe('bucket init', () => {
  const region = 'ap-singapore';

  it('makes one, says what it did, and then finds it there', async () => {
    const env = { ...world.env, BESTFRAME_BUCKETS: `${region}=cli-made-1250000000` };
    const made = await cli(['bucket', 'init', '--json'], env);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(made.stdout)).toMatchObject({
      ok: true,
      buckets: [
        {
          region,
          bucket: 'cli-made-1250000000',
          error: null,
          steps: [
            { name: 'bucket', changed: true },
            { name: 'acl', changed: false },
            { name: 'versioning', changed: false },
            { name: 'lifecycle', changed: true },
          ],
        },
      ],
    });
    const again = await cli(['bucket', 'init', '--region', region], env);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('a rule of one day was there');
  });

  it('one that cannot be made: exit code 1; none to make: 2', async () => {
    const elsewhere = world.emulator.buckets.find((bucket) => bucket.region === 'ap-hongkong')?.name;
    const failed = await cli(['bucket', 'init', '--json'], {
      ...world.env,
      BESTFRAME_BUCKETS: `${region}=${elsewhere}`,
    });
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({ ok: false, buckets: [{ error: { code: 'BUCKET_REGION' } }] });
    const none = await cli(['bucket', 'init'], { ...world.env, BESTFRAME_BUCKETS: '' });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('BESTFRAME_BUCKETS names no bucket') });
    const other = await run('bucket', 'init', '--region', 'eu-frankfurt');
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('no bucket for eu-frankfurt') });
  });
});

describe('errors', () => {
  it('lists all as JSON, by the names that are promised', async () => {
    const { stdout } = await cli(['errors', '--json']);
    const entries = JSON.parse(stdout) as Record<string, unknown>[];
    expect(entries.length).toBeGreaterThan(150);
    for (const entry of entries) {
      for (const name of ['match', 'channel', 'class', 'decision', 'retry', 'billed', 'title', 'advice'])
        expect(entry).toHaveProperty(name);
    }
  });

  it.each([
    ['DownLoadError', /plain GET from a public network/],
    ['MD5 Error', /overwritten/],
    ['invalid resourceUrl', /region/],
    ['SOURCE_NOT_BYTES', /Decode/],
  ])('%s in words', async (code, words) => {
    const result = await cli(['errors', code]);
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(words);
    expect(result.stdout).toContain('What to do:');
  });

  it('one that nobody knows', async () => {
    expect(await cli(['errors', 'Nope.Never'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not in the table'),
    });
  });
});
