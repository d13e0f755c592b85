/** Tests the commands as an operator types them, against a running local deployment. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SiteSessions } from '../../src/client/redis/site-sessions.ts';
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
  it.each(['', 'get'])('prints the usage of %s', async (command) => {
    const { code, stdout } = await cli(command === '' ? ['--help'] : [command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: bestframe${command === '' ? '' : ` ${command}`}`);
    expect(stdout.split('\n').length).toBeGreaterThan(5);
  });

  it('refuses an unknown command with a hint and exit code 2', async () => {
    const { code, stderr } = await cli(['enqeue']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown command 'enqeue'[\s\S]*enqueue/);
  });
});

it('keys: creates, lists without the secret, rotates and revokes, and writes each action to the audit log', async () => {
  const log = join(world.dir, 'audit.log');
  const keys = (...args: string[]) => cli(['keys', ...args, '--json'], { ...world.env, BESTFRAME_AUDIT: log });
  const created = await keys(
    'create',
    '--tenant',
    'acme',
    '--scopes',
    'read,frames',
    '--expires',
    '90d',
    '--by',
    'ada',
  );
  expect(created).toMatchObject({ code: 0, stderr: '' });
  const { id, secret } = JSON.parse(created.stdout) as { id: string; secret: string };
  expect(secret).toMatch(new RegExp(`^bf_test_${id}_`));
  const listed = await keys();
  expect(JSON.parse(listed.stdout)).toMatchObject([{ id, tenant: 'acme', scopes: ['read', 'frames'] }]);
  expect(listed.stdout).not.toContain(secret);
  const rotated = JSON.parse((await keys('rotate', id, '--by', 'ada')).stdout) as { id: string; tenant: string };
  expect(rotated).toMatchObject({ tenant: 'acme' });
  expect(JSON.parse((await keys('revoke', id, '--by', 'bob')).stdout)).toMatchObject({ revokedAt: expect.any(String) });
  expect(await keys('revoke', '0123456789ab')).toMatchObject({ code: 1, stdout: 'null\n' });
  const entries = (await readFile(log, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { act: string })
    .filter(({ act }) => act !== 'audit.close');
  expect(entries).toMatchObject([
    { act: 'key.create', actor: 'ada', tenant: 'acme', what: 'read,frames' },
    { act: 'key.list' },
    { act: 'key.rotate', actor: 'ada', on: id },
    { act: 'key.revoke', actor: 'bob', on: id },
    { act: 'key.revoke', on: '0123456789ab' },
  ]);
  const refused = await cli(['keys', 'create'], { ...world.env, BESTFRAME_AUDIT: '/dev/full' });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/AUDIT_UNAVAILABLE/);
  expect(JSON.parse((await keys()).stdout)).toHaveLength(2);
  expect((await run('keys', 'create', '--scopes', 'everything')).stderr).toMatch(
    /use one or more of submit,read,frames,operate,erase/,
  );
});

it('sessions: lists the sessions of the site, ends one or those of a user, and writes each end to the audit log', async () => {
  const store = new SiteSessions(world.config.redis, world.config.prefix);
  const limits = { lifeMs: 3_600_000, idleMs: 3_600_000 };
  const start = (operator: string) => store.start({ operator, way: 'password', address: '192.0.2.7' }, limits);
  const { session, secret } = await start('ana');
  await start('vera');
  await store.close();
  const log = join(world.dir, 'sessions-audit.jsonl');
  const sessions = (...args: string[]) => cli(['sessions', ...args, '--json'], { ...world.env, BESTFRAME_AUDIT: log });
  const listed = await sessions();
  expect((JSON.parse(listed.stdout) as { operator: string }[]).map(({ operator }) => operator)).toEqual([
    'ana',
    'vera',
  ]);
  expect(listed.stdout).not.toContain(secret);
  expect((await sessions('revoke')).code).toBe(2);
  expect(JSON.parse((await sessions('revoke', session.id, '--by', 'bob')).stdout)).toHaveLength(1);
  expect(await sessions('revoke', session.id)).toMatchObject({ code: 1, stdout: '[]\n' });
  expect((await sessions('revoke', '--user', 'vera')).code).toBe(0);
  expect((await run('sessions')).stdout).toContain('nobody is logged in');
  const [line] = (await readFile(log, 'utf8')).split('\n');
  expect(JSON.parse(line ?? '')).toMatchObject({ act: 'session.end', actor: 'bob', on: session.id, what: 'ana' });
});

it('tenants: shows, sets and removes a policy, refuses an old version, and writes each change to the audit log', async () => {
  const log = join(world.dir, 'audit-tenants.log');
  const tenants = (...args: string[]) => cli(['tenants', ...args], { ...world.env, BESTFRAME_AUDIT: log });
  const file = join(world.dir, 'initech.json');
  const shown = await tenants('show', 'initech');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    tenant: 'initech',
    version: 0,
    policy: { read: [], fileRoots: [] },
  });
  const inputs = join(world.dir, 'inputs');
  const { policy } = JSON.parse(shown.stdout) as { policy: object };
  const draft = { tenant: 'initech', version: 0, policy: { ...policy, fileRoots: [inputs], similarityThreshold: 99 } };
  await writeFile(file, JSON.stringify(draft));
  expect(await tenants('set', file, '--by', 'ada')).toMatchObject({
    code: 0,
    stdout: 'initech: version 1 is stored\n',
  });
  const stale = await tenants('set', file);
  expect(stale).toMatchObject({ code: 2 });
  expect(stale.stderr).toMatch(/TENANT_CONFLICT/);
  await writeFile(file, JSON.stringify({ ...draft, policy: { fileRoot: [inputs] } }));
  expect((await tenants('set', file)).stderr).toMatch(/policy has an unknown field "fileRoot"/);
  expect(JSON.parse((await tenants('list', '--json')).stdout)).toMatchObject([
    { tenant: 'initech', version: 1, by: 'ada', policy: { fileRoots: [inputs], similarityThreshold: 99 } },
  ]);

  const { live, image } = await files('initech');
  const request = ['--live-data', live, '--image', image, '--tenant'];
  const done = await run('enqueue', '--key', 'theirs', ...request, 'initech', '--wait', '--json');
  expect(JSON.parse(done.stdout)).toMatchObject({ tenant: 'initech', decision: 'no_match' }); // below their threshold
  const { id } = JSON.parse(done.stdout) as { id: string };
  expect(JSON.parse((await run('list', '--tenant', 'initech', '--json')).stdout)).toMatchObject({
    verifications: [{ id }],
  });
  expect(JSON.parse((await run('list', '--tenant', 'initrode', '--json')).stdout)).toEqual({
    verifications: [],
    cursor: null,
  });
  const foreign = await run('enqueue', '--key', 'theirs', ...request, 'initrode');
  expect(foreign).toMatchObject({ code: 2 });
  expect(foreign.stderr).toMatch(/PLACE_FORBIDDEN/);

  expect(await tenants('remove', 'initech')).toMatchObject({ code: 0, stdout: 'removed\n' });
  expect(await tenants('remove', 'initech')).toMatchObject({ code: 1 });
  const entries = (await readFile(log, 'utf8')).trimEnd().split('\n');
  const changes = entries.map((line) => JSON.parse(line) as { act: string }).filter(({ act }) => act !== 'audit.close');
  expect(changes).toMatchObject([
    { act: 'tenant.change', actor: 'ada', tenant: 'initech', what: 'set' },
    { act: 'tenant.change', tenant: 'initech', what: 'set' },
    { act: 'tenant.change', tenant: 'initech', what: 'remove' },
    { act: 'tenant.change', tenant: 'initech', what: 'remove' },
  ]);
});

it('enqueue --wait, get, get --key, wait and list print text and JSON', async () => {
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
    ...{ reason: null, retake: 'none', pausedBy: null, retryAfter: null, stage: 'download', cost: null },
  });

  const byId = await run('get', view.id, '--json');
  expect(JSON.parse(byId.stdout)).toEqual(view);
  const byKey = await run('get', '--key', 'walk');
  expect(byKey.stdout).toContain(view.id);
  expect(byKey.stdout).toMatch(/next\s+accept/);
  expect(byKey.stdout).toMatch(/detect\s+1 ×/);
  const waited = await run('wait', view.id, '--ended', '--json');
  expect(JSON.parse(waited.stdout)).toEqual(view);
  const filters = ['--ended', '--decision', 'match', '--region', 'ap-singapore', '--since', '1h'];
  const listed = await run('list', ...filters, '--json');
  const { verifications } = JSON.parse(listed.stdout) as { verifications: { id: string }[] };
  expect(verifications.map(({ id }) => id)).toContain(view.id);
  for (const other of [
    ['--live'],
    ['--state', 'failed'],
    ['--decision', 'no_match'],
    ['--code', 'TIMEOUT'],
    ['--since', '0s'],
  ])
    expect((await run('list', ...other)).stdout).not.toContain(view.id);
  // Pages of one lead from the newest to the last, through all that have ended.
  const pages: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { stdout } = await run(
      'list',
      '--ended',
      '--limit',
      '1',
      '--json',
      ...(cursor === '' ? [] : ['--cursor', cursor]),
    );
    const page = JSON.parse(stdout) as { verifications: { id: string }[]; cursor: string | null };
    pages.push(...page.verifications.map(({ id }) => id));
    cursor = page.cursor;
  }
  const all = JSON.parse((await run('list', '--ended', '--limit', '1000', '--json')).stdout) as {
    verifications: { id: string }[];
  };
  expect(pages).toEqual(all.verifications.map(({ id }) => id));
  expect(await run('list', '--cursor', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('cursor') });
  expect((await run('list')).stdout).toContain(view.id);

  const again = await run('enqueue', '--key', 'walk', '--live-data', live, '--image', image);
  expect(again.stdout).toContain('already known (completed)');
  expect((await run('cancel', view.id)).stdout).toContain('had already ended');
});

it('support prints text, JSON or a file; metrics prints Prometheus format or JSON', async () => {
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

  const costs = JSON.parse((await run('costs', '--by', 'action', '--json')).stdout);
  expect(costs).toMatchObject([{ name: 'DetectReflectLivenessAndCompare', costs: [] }]);
  expect((await run('costs', '--by', 'region', '--csv')).stdout).toMatch(
    /^region,paid_calls,.*\nap-singapore,\d+,\d+,,,\n/,
  );
  expect((await run('costs')).stdout).toMatch(/^day +paid +possibly paid\n\d{4}-\d\d-\d\d +\d+ +\d+\n/);
  expect(await run('costs', '--since', 'yesterday')).toMatchObject({ code: 2 });
  expect((await run('metrics')).stdout).toMatch(/^bestframe_gate_open\{.*\} 1$/m);
  expect(JSON.parse((await run('metrics', '--json')).stdout)).toMatchObject({ counters: { unknownCodes: 0 } });
});

it('reports a missing verification with exit code 1', async () => {
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
  it('reads JSON Lines: reports invalid lines, enqueues the others, and prints a result per line', async () => {
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
    const text = await run('enqueue', '--manifest', file);
    expect(text.stderr).toMatch(
      /line 2: INVALID_MANIFEST[\s\S]*line 4: INVALID_VERIFICATION[\s\S]*2 enqueued, 2 refused/,
    );
  });

  it('reads JSON Lines from stdin', async () => {
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

  it('reads CSV with a header, and sources as on the command line', async () => {
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

  it('reads CSV with a liveness type for VideoLivenessCompare', async () => {
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

  it('refuses an unknown column by name, and an empty manifest, before anything is enqueued', async () => {
    const { live, image } = await files('typo');
    const file = join(world.dir, 'typo.csv');
    const typo = `key,liveData,image,similarityTreshold,subject,frame\ntypo-1,${live},${image},95,customer-1,none\n`;
    await writeFile(file, typo);
    expect(await run('enqueue', '--manifest', file, '--wait')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/INVALID_MANIFEST[\s\S]*unknown column "similarityTreshold"/),
    });
    expect(await world.client.getByKey('typo-1')).toBeNull();
    await writeFile(file, '');
    expect(await run('enqueue', '--manifest', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('the manifest is empty'),
    });
  });

  it('reads every field from a spreadsheet and from options', async () => {
    const { live, image } = await files('fields');
    const file = join(world.dir, 'excel.csv');
    const header =
      'Key;Live Data;Image;Threshold;Subject;Purpose;consentRef;consentVersion;consentAt;Frame;metadata.shop';
    const row = `fields-1;${live};${image};95,5;customer-1;opening;c-7;v2;2026-01-01T00:00:00Z;none;s-7`;
    await writeFile(file, Buffer.from(`\uFEFF${header}\r\n${row}\r\n`, 'utf16le'));
    const expected = {
      similarityThreshold: 95.5,
      decision: 'no_match',
      purpose: 'opening',
      consent: { ref: 'c-7', version: 'v2', at: '2026-01-01T00:00:00Z' },
      metadata: { shop: 's-7' },
      subject: expect.stringMatching(/./),
    };
    const sheet = await run('enqueue', '--manifest', file, '--wait', '--json');
    expect(sheet.code).toBe(0);
    expect(JSON.parse(sheet.stdout)).toMatchObject({ key: 'fields-1', status: 'new', view: expected });
    // The command waits only for the decision. Whether a frame is stored is known only when the verification has ended.
    const frameOf = async (id: string) => (await world.client.wait(id, { until: 'ended' }))?.frame;
    expect(await frameOf(JSON.parse(sheet.stdout).id)).toBe('none');
    const options = ['--threshold', '95.5', '--subject', 'customer-1', '--purpose', 'opening', '--frame', 'none'];
    const consent = ['--consent-ref', 'c-7', '--consent-version', 'v2', '--consent-at', '2026-01-01T00:00:00Z'];
    const again = await files('fields-2');
    const sources = ['--key', 'fields-2', '--live-data', again.live, '--image', again.image];
    const one = await run('enqueue', ...sources, ...options, ...consent, '--metadata', 'shop=s-7', '--wait', '--json');
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({ key: 'fields-2', ...expected });
    expect(await frameOf(JSON.parse(one.stdout).id)).toBe('none');
  });

  it('refuses a manifest that does not exist', async () => {
    expect(await run('enqueue', '--manifest', '/nowhere.jsonl')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('INVALID_MANIFEST'),
    });
  });
});

describe('doctor', () => {
  const statuses = (stdout: string) =>
    (JSON.parse(stdout).checks as { name: string; status: string }[]).map(({ name, status }) => `${status} ${name}`);

  it('exits with 0 if no check fails, prints text and JSON, and warns about --live', async () => {
    await run('bucket', 'init');
    const text = await run('doctor');
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toMatch(/^ok {7}redis {2}[\s\S]*\n\d+ ok, [01] warned, 0 failed, 1 skipped\n$/);
    const live = await run('doctor', '--live', '--json');
    expect(live).toMatchObject({ code: 0, stderr: expect.stringContaining('not guaranteed') });
    const report = JSON.parse(live.stdout) as { ok: boolean; checks: object[] };
    expect(report.ok).toBe(true);
    expect(new Set(report.checks.map((check) => Object.keys(check).join()))).toEqual(
      new Set(['name,status,found,advice']),
    );
    const busy = 'redis.latency'; // a busy machine may exceed the limit
    expect(statuses(live.stdout).filter((each) => !each.startsWith('ok ') && !each.endsWith(busy))).toEqual([]);
  });

  it('exits with 1 if a check fails, and with 2 on invalid settings', async () => {
    const failing = await cli(['doctor', '--json'], { ...world.env, TENCENTCLOUD_SECRET_KEY: 'another' });
    expect(failing).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(failing.stdout).ok).toBe(false);
    expect(statuses(failing.stdout)).toContain('fail credentials');
    const invalid = await cli(['doctor', '--json'], { ...world.env, BESTFRAME_SLOTS: 'many' });
    expect(invalid).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('INVALID_SETTINGS') });
    const noCa = await cli(['doctor'], { ...world.env, BESTFRAME_CA_FILE: '/nowhere.pem' });
    expect(noCa).toMatchObject({ code: 2, stderr: expect.stringContaining('BESTFRAME_CA_FILE') });
  });
});

describe('bucket init', () => {
  const region = 'ap-singapore';

  it('creates a bucket, reports the steps, and then finds it set up', async () => {
    const env = { ...world.env, BESTFRAME_BUCKETS: `${region}=cli-made-1250000000` };
    const created = await cli(['bucket', 'init', '--json'], env);
    expect(created).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(created.stdout)).toMatchObject({
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
    expect(again.stdout).toContain('a one-day rule already exists');
  });

  it('exits with 1 if a bucket cannot be set up, and with 2 if none is selected', async () => {
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
  it('lists all codes as JSON with the documented fields', async () => {
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
    ['LINKS_EXPIRED', /Nothing while Bestframe tries again/],
  ])('explains %s', async (code, text) => {
    const result = await cli(['errors', code]);
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(text);
    expect(result.stdout).toMatch(/What to do(?: \((?:caller|operator)\))?: \w/);
  });

  it('reports an unknown code', async () => {
    expect(await cli(['errors', 'Nope.Never'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not in the table'),
    });
  });
});

describe('retry', () => {
  const CODE = 'InvalidParameterValue';

  async function failed(key: string): Promise<string> {
    const id = world.client.idOf(key);
    await world.control.fault({ kind: 'error', action: 'DetectReflectLivenessAndCompare', code: CODE, object: id });
    await world.client.enqueue(await world.request(key));
    const view = await world.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
    expect(view).toMatchObject({ state: 'failed', reason: { code: CODE } });
    return id;
  }

  it('a dry run shows what the retry then does, and the retry records who started it and why', async () => {
    const log = join(world.dir, 'retry-audit.log');
    const env = { ...world.env, BESTFRAME_AUDIT: log };
    const since = new Date().toISOString();
    const ids = [await failed('retry-1'), await failed('retry-2'), await failed('retry-3')];
    await world.client.legalHold(ids[2] ?? '', { by: 'counsel', why: 'a dispute' });
    const selection = ['retry', '--class', 'caller', '--code', CODE, '--since', since, '--region', 'ap-singapore'];
    const plan = ids.map((id, index) => ({ id, code: CODE, status: index === 2 ? 'legal_hold' : 'run' }));

    const table = await cli([...selection, '--dry-run'], env);
    expect(table.stdout).toContain('2 would start again, 1 untouched');
    const dry = await cli([...selection, '--dry-run', '--json'], env);
    expect(dry).toMatchObject({ code: 1 });
    expect(JSON.parse(dry.stdout)).toEqual(plan);
    const asked = await cli([...selection, '--why', 'mended'], env);
    expect(asked).toMatchObject({ code: 1, stderr: expect.stringContaining('Retry 2 verifications? Add --yes') });
    expect(await readFile(log, 'utf8')).not.toContain('"act":"retry"');
    expect(await world.client.get(ids[0] ?? '')).toMatchObject({ state: 'failed' });

    const by = ['--why', 'mended', '--by', 'maria'];
    const done = await cli([...selection, ...by, '--yes', '--rate', '1', '--json'], env);
    expect(JSON.parse(done.stdout)).toEqual(plan);
    expect(done.code).toBe(1); // one of them cannot be retried
    for (const id of ids.slice(0, 2)) {
      const view = await world.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
      expect(view).toMatchObject({ state: 'completed', decision: 'match', paidCalls: 1 });
      expect(view?.history.find(({ event }) => event === 'retried')).toMatchObject({ by: 'maria', why: 'mended' });
    }
    const lines = (await readFile(log, 'utf8')).trim().split('\n');
    const retries = lines.map((line) => JSON.parse(line) as { act: string }).filter(({ act }) => act === 'retry');
    expect(retries).toMatchObject(
      ids.slice(0, 2).map((on) => ({ act: 'retry', actor: 'maria', on, what: 'run', purpose: 'mended' })),
    );
    const again = await cli(['retry', '--ids', ...ids.slice(0, 2), ...by], env);
    expect(again).toMatchObject({ code: 1, stdout: expect.stringContaining('0 started again, 2 untouched') });
  });

  it.each([
    [['--class', 'caller'], /since is missing/],
    [['--since', '2h'], /class is missing/],
    [['--since', 'yesterday', '--class', 'caller'], /Write how long ago/],
    [['--class', 'calle', '--since', '2h'], /Allowed choices are transient/],
    [['--rate', '0', '--ids', 'v1'], /whole number/],
    [['--ids', 'v1'], /--why is missing/],
  ])('refuses %j', async (args, problem) => {
    const { code, stderr } = await run('retry', ...args, ...(args.includes('--ids') ? [] : ['--why', 'mended']));
    expect(stderr).toMatch(problem);
    expect(code).not.toBe(0);
  });

  it('retries only verifications of the named tenant', async () => {
    const id = await failed('retry-tenant');
    const result = await run('retry', '--ids', id, '--tenant', 'acme', '--dry-run', '--json');
    expect(JSON.parse(result.stdout)).toEqual([{ id, code: null, status: 'missing' }]);
  });
});
