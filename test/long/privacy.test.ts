/** Tests commands as operators and privacy officers type them, against a running local deployment. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { finishedSession } from '../support/sessions.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const WHY = ['--by', 'officer', '--why', 'asked by letter'];

let world: TestWorld;

beforeAll(async () => {
  const settings = { BESTFRAME_QPS_DETECT: '50', BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20' };
  world = await createWorld({ workers: 1, settings });
});
afterAll(() => world.dispose());

const run = (...args: string[]) => cli(args, world.env);

async function endedVerification(key: string, subject = key) {
  const { id } = await world.client.enqueue(await world.request(key, { card: 'match' }, { subject }));
  const view = await world.client.wait(id, { until: 'ended' });
  return { id, path: view?.bestFrame?.path ?? '' };
}

describe('erase', () => {
  it('requires a reason, shows what it would do, waits for the receipt, and prints the receipt again', async () => {
    const { id, path } = await endedVerification('erase-me');
    expect(await run('erase', '--key', 'erase-me')).toMatchObject({ code: 2, stdout: '' });
    expect(await run('erase', '--key', 'erase-me', '--dry-run')).toMatchObject({
      code: 0,
      stdout: `${id}  would be erased\n`,
    });
    expect(existsSync(path)).toBe(true);
    const { code, stdout } = await run('erase', '--key', 'erase-me', ...WHY);
    expect(code).toBe(0);
    expect(stdout).toMatch(/objects: confirmed \S+ by COS, \d+ versions/);
    expect(stdout).toMatch(/frame: confirmed \S+ by file system/);
    expect(stdout).toContain('cannot be confirmed');
    expect(existsSync(path)).toBe(false);
    const [shown] = JSON.parse((await run('erase', '--key', 'erase-me', '--receipt', '--json')).stdout);
    expect(shown).toMatchObject({ id, status: 'gone', receipt: { complete: true, by: 'officer' } });
    expect(await run('erase', '--key', 'never', ...WHY)).toMatchObject({ code: 1 });
  });

  it('by subject asks for confirmation before it erases several, and by age erases only records that are old enough', async () => {
    const subject = 'customer-7731';
    const mine = [await endedVerification('mine-1', subject), await endedVerification('mine-2', subject)];
    const unasked = await run('erase', '--subject', subject, ...WHY);
    expect(unasked).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') });
    expect(JSON.parse((await run('erase', '--older-than', '1d', '--json', ...WHY)).stdout)).toEqual([]);
    const { stdout } = await run('erase', '--subject', subject, '--yes', '--json', ...WHY);
    const results = JSON.parse(stdout) as { id: string; status: string }[];
    expect(results.map(({ id, status }) => [id, status])).toEqual(mine.map(({ id }) => [id, 'erased']));
    expect(await run('erase', 'x', '--subject', subject, ...WHY)).toMatchObject({ code: 2 });
  });

  it('is refused under a legal hold, with the reason of the hold', async () => {
    const { id } = await endedVerification('held-by-law');
    expect((await run('legal-hold', 'set', id, '--why', 'case 7-114')).stdout).toContain('legal hold set');
    const refused = await run('erase', id, ...WHY);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('case 7-114') });
    expect((await run('legal-hold', 'lift', id, '--why', 'closed')).code).toBe(0);
    expect((await run('erase', id, ...WHY)).code).toBe(0);
  });
});

it('export prints one line per verification and copies the frames', async () => {
  const { id, path } = await endedVerification('exported', 'customer-9');
  const out = join(world.dir, 'out');
  const { code, stdout } = await run('export', '--subject', 'customer-9', '--frames', out);
  expect(code).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).id),
  ).toEqual([id]);
  expect(existsSync(join(out, path.split('/').at(-1) ?? ''))).toBe(true);
});

it('get names the media of a session, and export copies them', async () => {
  const id = await finishedSession(world, world.client, 'filmed');
  const out = join(world.dir, 'out-media');
  expect((await run('get', id)).stdout).toMatch(new RegExp(`liveVideo\\s+\\S+${id}\\.liveVideo\\.mp4 \\(\\d+ bytes`));
  expect(await run('export', '--subject', 'subject-of-filmed', '--frames', out)).toMatchObject({ code: 0 });
  const [medium] = (await world.client.get(id))?.session?.media ?? [];
  expect(await readFile(join(out, `${id}.liveVideo.mp4`))).toHaveLength(medium?.bytes ?? -1);
  expect(existsSync(join(out, `${id}.jpg`))).toBe(true);
});

it('acknowledge says that the frame will be deleted', async () => {
  await endedVerification('acknowledged');
  expect((await run('acknowledge', '--key', 'acknowledged')).stdout).toContain('will be deleted');
  expect(await run('acknowledge', 'vnothing')).toMatchObject({ code: 1 });
});

it('reconcile lists the keys of a manifest that Redis does not know', async () => {
  await endedVerification('known');
  const lines = ['known', '{"key":"lost-1","liveData":"x"}', '', 'lost-2'].join('\n');
  const found = await cli(['reconcile', '--json'], world.env, lines);
  expect(found.code).toBe(1);
  expect(JSON.parse(found.stdout)).toEqual({ known: 1, gone: 0, missing: ['lost-1', 'lost-2'] });
  const words = await cli(['reconcile'], world.env, 'known\nlost-1\n');
  expect(words).toMatchObject({ stdout: 'lost-1\n', stderr: expect.stringContaining('1 missing') });
});

it('reconcile searches the keys of named tenants, of the tenant in a line, or of all tenants with an API key', async () => {
  const policy = { fileRoots: [join(world.dir, 'inputs')] };
  await world.client.tenants.set({ tenant: 'acme', policy }, { by: 'test' });
  const acme = world.client.forTenant('acme');
  await acme.enqueue(await world.request('acme-1'));
  const run = async (input: string, ...options: string[]) =>
    JSON.parse((await cli(['reconcile', '--json', ...options], world.env, input)).stdout);
  expect(await run('acme-1\n')).toMatchObject({ missing: ['acme-1'] });
  expect(await run('acme-1\n', '--tenant', 'other,acme')).toMatchObject({ known: 1, missing: [] });
  expect(await run('{"key":"acme-1","tenant":"acme"}\n')).toMatchObject({ known: 1, missing: [] });
  await cli(['keys', 'create', '--tenant', 'acme'], world.env);
  expect(await run('acme-1\nlost\n', '--all-tenants')).toEqual({ known: 1, gone: 0, missing: ['lost'] });
});

describe('held', () => {
  it('lists held verifications, shows what it would do, requires ids or --all, and applies the decision', async () => {
    const unreadable = { card: 'match', first: { unreadable: 9 } };
    const ids: string[] = [];
    for (const key of ['held-1', 'held-2']) {
      const { id } = await world.client.enqueue(await world.request(key, unreadable));
      expect(await world.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'held' });
      ids.push(id);
    }
    expect((await run('held')).stdout).toContain('FailedOperation.DownLoadError');
    expect(await run('held', 'fail', ...WHY)).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
    expect((await run('held', 'fail', '--all', '--dry-run', ...WHY)).stdout.trim().split('\n')).toHaveLength(2);
    expect(JSON.parse((await run('held', '--json')).stdout)).toHaveLength(2);
    const one = await run('held', 'recapture', ids[0] ?? '', ...WHY);
    expect(one).toMatchObject({ code: 0, stdout: expect.stringContaining('done (completed)') });
    const rest = await run('held', 'fail', '--all', '--yes', '--reason', 'reupload', '--json', ...WHY);
    expect(JSON.parse(rest.stdout)).toEqual([{ id: ids[1], status: 'ok', state: 'failed' }]);
    expect((await run('held')).stdout).toBe('no verification is held\n');
  });
});

async function entriesOf(file: string) {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const all = lines.map((line) => JSON.parse(line) as { act: string; on: string; actor: string; purpose: string });
  return all.filter((each) => each.act !== 'audit.close');
}

it('each act is audited before it happens, and is refused if the audit log cannot be written', async () => {
  const { id } = await endedVerification('audited', 'customer-12');
  const file = join(world.dir, 'audit.jsonl');
  const act = (where: string, ...args: string[]) => cli(args, { ...world.env, BESTFRAME_AUDIT: where });
  const refused = await act('/dev/full', 'erase', id, ...WHY);
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('nothing was done') });
  expect(await world.client.get(id)).not.toBeNull();
  await act(file, 'export', '--subject', 'customer-12', ...WHY);
  await act(file, 'legal-hold', 'set', id, ...WHY);
  await act(file, 'legal-hold', 'lift', id, ...WHY);
  await act(file, 'gate', 'open', '--region', 'ap-singapore', '--action', 'VideoLivenessCompare', ...WHY);
  await act(file, 'erase', id, ...WHY);
  const acts = await entriesOf(file);
  expect(acts.map((each) => each.act)).toEqual([
    'verifications.list',
    'export',
    'legal-hold.change',
    'legal-hold.change',
    'gate.steer',
    'erase',
  ]);
  expect(acts[1]).toMatchObject({ on: id, actor: 'officer', purpose: 'asked by letter' });
});

it('reads are audited too, without keys, and are refused if the audit log cannot be written', async () => {
  const id = `v${'0'.repeat(25)}`;
  const file = join(world.dir, 'reads.jsonl');
  const act = (where: string, ...args: string[]) => cli(args, { ...world.env, BESTFRAME_AUDIT: where });
  const looks = [
    ['get', id],
    ['get', 'customer-12-key', '--key'],
    ['get', 'customer-12-key'],
    ['list'],
    ['cancel', id],
    ['acknowledge', id],
    ['held'],
    ['retry', '--ids', id, '--dry-run'],
    ['erase', '--receipt', id],
    ['keys'],
    ['webhooks'],
    ['webhooks', 'remove', 'nobody', '--by', 'ada'],
  ];
  for (const args of looks) {
    await act(file, ...args);
  }
  for (const args of [['list'], ['webhooks', 'remove', 'nobody']])
    expect((await act('/dev/full', ...args)).stderr).toContain('AUDIT_UNAVAILABLE');
  const later = await entriesOf(file);
  expect(later.map((each) => each.act)).toEqual([
    'timeline.read',
    'timeline.read',
    'timeline.read',
    'verifications.list',
    'cancel',
    'frame.acknowledge',
    'verifications.list',
    'verifications.list',
    'receipt.read',
    'key.list',
    'webhook.list',
    'webhook.change',
  ]);
  expect(later.at(-1)).toMatchObject({ actor: 'ada', what: 'remove nobody' });
  expect(JSON.stringify(later)).not.toContain('customer-12');
});

it('erase --rewrite-aof asks Redis to rewrite its append-only file, and the receipt says whether it was', async () => {
  const { id } = await endedVerification('rewritten', 'customer-13');
  const { code, stdout, stderr } = await run('erase', id, '--rewrite-aof', '--json', ...WHY);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^append-only file: Redis/m) });
  const aof = stderr.includes('has none') ? 'off' : 'rewritten';
  expect(JSON.parse(stdout)).toMatchObject([{ id, status: 'erased', receipt: { complete: true, aof } }]);
});

it('audit verify: exit code 0 for a whole log, 1 for one with a gap or a cut end, 2 for no log', async () => {
  const file = join(world.dir, 'chained.jsonl');
  const env = { ...world.env, BESTFRAME_AUDIT: file };
  for (let times = 0; times < 3; times += 1) await cli(['list'], env);
  const whole = await cli(['audit', 'verify', '--stopped', '--json'], env);
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({ intact: true, lines: 6, chains: 3, open: [], problems: [] });
  const report = join(world.dir, 'report.json');
  await writeFile(report, whole.stdout);
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, [...lines.slice(0, 1), ...lines.slice(2)].join('\n'));
  const gap = await cli(['audit', 'verify'], env);
  expect(gap).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/link .*chained.jsonl:2 .*the audit log has 1 problem/s),
  });
  await writeFile(file, `${lines.slice(0, 5).join('\n')}\n`);
  expect((await cli(['audit', 'verify'], env)).code).toBe(0); // the last process may still run
  const cut = await cli(['audit', 'verify', '--previous', report], env);
  expect(cut).toMatchObject({ code: 1, stdout: expect.stringContaining('cut') });
  expect(await cli(['audit', 'verify', join(world.dir, 'none')])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cannot be read'),
  });
});
