/** The commands of operators and privacy officers, as they type them, against a running world. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const WHY = ['--by', 'officer', '--why', 'asked by letter'];

let world: TestWorld;

beforeAll(async () => {
  const settings = { BESTFRAME_QPS_DETECT: '50', BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20' };
  world = await createWorld({ workers: 1, settings });
});
afterAll(() => world.dispose());

const run = (...args: string[]) => cli(args, world.env);

async function ended(key: string, subject = key) {
  const { id } = await world.client.enqueue(await world.request(key, { card: 'match' }, { subject }));
  const view = await world.client.wait(id, { until: 'ended' });
  return { id, path: view?.bestFrame?.path ?? '' };
}

describe('erase', () => {
  it('asks why, says what it would do, waits for the receipt, and shows it again', async () => {
    const { id, path } = await ended('erase-me');
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
    expect(stdout).toContain('not confirmed by anybody');
    expect(existsSync(path)).toBe(false);
    const [shown] = JSON.parse((await run('erase', '--key', 'erase-me', '--receipt', '--json')).stdout);
    expect(shown).toMatchObject({ id, status: 'gone', receipt: { complete: true, by: 'officer' } });
    expect(await run('erase', '--key', 'never', ...WHY)).toMatchObject({ code: 1 });
  });

  it('by subject: asks before many are erased; by age: only what is old enough', async () => {
    const subject = 'customer-7731';
    const mine = [await ended('mine-1', subject), await ended('mine-2', subject)];
    const unasked = await run('erase', '--subject', subject, ...WHY);
    expect(unasked).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') });
    expect(JSON.parse((await run('erase', '--older-than', '1d', '--json', ...WHY)).stdout)).toEqual([]);
    const { stdout } = await run('erase', '--subject', subject, '--yes', '--json', ...WHY);
    const results = JSON.parse(stdout) as { id: string; status: string }[];
    expect(results.map(({ id, status }) => [id, status])).toEqual(mine.map(({ id }) => [id, 'erased']));
    expect(await run('erase', 'x', '--subject', subject, ...WHY)).toMatchObject({ code: 2 });
  });

  it('under a legal hold it is refused with its reason', async () => {
    const { id } = await ended('held-by-law');
    expect((await run('legal-hold', 'set', id, '--why', 'case 7-114')).stdout).toContain('legal hold set');
    const refused = await run('erase', id, ...WHY);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('case 7-114') });
    expect((await run('legal-hold', 'lift', id, '--why', 'closed')).code).toBe(0);
    expect((await run('erase', id, ...WHY)).code).toBe(0);
  });
});

it('export: one line a verification, and the frames with it', async () => {
  const { id, path } = await ended('exported', 'customer-9');
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

it('acknowledge: the frame will go', async () => {
  await ended('acknowledged');
  expect((await run('acknowledge', '--key', 'acknowledged')).stdout).toContain('will be deleted');
  expect(await run('acknowledge', 'vnothing')).toMatchObject({ code: 1 });
});

it('reconcile: keys of a manifest that Redis does not know', async () => {
  await ended('known');
  const lines = ['known', '{"key":"lost-1","liveData":"x"}', '', 'lost-2'].join('\n');
  const found = await cli(['reconcile', '--json'], world.env, lines);
  expect(found.code).toBe(1);
  expect(JSON.parse(found.stdout)).toEqual({ known: 1, gone: 0, missing: ['lost-1', 'lost-2'] });
  const words = await cli(['reconcile'], world.env, 'known\nlost-1\n');
  expect(words).toMatchObject({ stdout: 'lost-1\n', stderr: expect.stringContaining('1 missing') });
});

describe('held', () => {
  it('lists, says what it would do, asks for ids or --all, and does it', async () => {
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
    expect((await run('held')).stdout).toBe('none is held\n');
  });
});

it('each act is in the audit log before it is done; where it cannot be written, nothing is', async () => {
  const { id } = await ended('audited', 'customer-12');
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
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const acts = lines.map((line) => JSON.parse(line) as { act: string; on: string; actor: string; purpose: string });
  expect(acts.map((each) => each.act)).toEqual([
    'export',
    'legal-hold.change',
    'legal-hold.change',
    'gate.steer',
    'erase',
  ]);
  expect(acts[0]).toMatchObject({ on: id, actor: 'officer', purpose: 'asked by letter' });
});
