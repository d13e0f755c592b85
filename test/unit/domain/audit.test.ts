/**
 * Tests that the audit log appends whole lines, which are on disk before the audited act proceeds, that the act fails if its line
 * cannot be written, and that the chain of lines shows what was removed or changed.
 */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAudit } from '../../../src/adapters/audit.ts';
import { ACTS, type AuditEntry } from '../../../src/domain/operations/audit.ts';
import {
  type AuditCheck,
  checkAudit,
  type PlacedLine,
  PROBLEM_KINDS,
  parseHeads,
} from '../../../src/domain/operations/audit-report.ts';
import { Refusals } from '../../../src/server/refusals.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bestframe-audit-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const entry = (on: string): AuditEntry => ({ act: 'erase', actor: 'k1', tenant: 'acme', on, purpose: 'asked' });

it('appends whole lines after existing content, even concurrently, in a file that only its owner can read', async () => {
  const path = join(dir, 'audit.log');
  const first = await openAudit(path);
  await first.write(entry('v0'));
  const second = await openAudit(path);
  await Promise.all(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? first : second).write(entry(`v${i + 1}`))));
  await Promise.all([first.close(), second.close(), first.close()]);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(203); // with two closing lines
  const read = lines.map((line) => JSON.parse(line) as Record<string, string>);
  expect(read[0]).toEqual({ at: expect.any(String), ...entry('v0'), chain: expect.any(String), seq: 1, prev: null });
  expect(new Set(read.flatMap(({ on }) => on ?? [])).size).toBe(201);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('has an entry on disk when write() resolves', async () => {
  const path = join(dir, 'at-once.log');
  const audit = await openAudit(path);
  for (let i = 0; i < 5; i += 1) {
    await audit.write(entry(`v${i}`));
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(i + 1);
  }
  await audit.close();
});

it('rejects open and every pending write if the file cannot be written', async () => {
  const full = await openAudit('/dev/full');
  const acts = await Promise.allSettled([full.write(entry('v1')), full.write(entry('v2'))]);
  for (const act of acts) expect(act).toMatchObject({ status: 'rejected', reason: { code: 'AUDIT_UNAVAILABLE' } });
  await full.close();
  writeFileSync(join(dir, 'file'), '');
  await expect(openAudit(join(dir, 'file', 'audit.log'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
});

/** Writes `count` entries and closes the log. */
async function writeLog(path: string, ...ids: string[]): Promise<void> {
  const audit = await openAudit(path);
  for (const id of ids) await audit.write(entry(id));
  await audit.close();
}

const linesIn = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n');
const check = (files: readonly (readonly string[])[], options: Partial<AuditCheck> = {}) =>
  checkAudit({ read: () => placed(files), olderGone: false, stopped: false, ...options });

async function* placed(files: readonly (readonly string[])[]): AsyncGenerator<PlacedLine> {
  for (const [file, lines] of files.entries())
    for (const [index, text] of lines.entries()) yield { at: `${file}:${index + 1}`, text };
}

describe('the chain', () => {
  let lines: string[];
  beforeAll(async () => {
    const path = join(dir, 'chain.log');
    const long = await openAudit(path);
    await long.write(entry('v0'));
    await writeLog(path, 'v1', 'v2', 'v3');
    await writeLog(path, 'v4', 'v5');
    await long.write(entry('v6'));
    await long.close();
    lines = linesIn(path); // v0, v1 v2 v3 close, v4 v5 close, v6, close
  });
  const without = (...indices: number[]) => lines.filter((_, index) => !indices.includes(index));
  const kinds = async (changed: readonly string[], options: Partial<AuditCheck> = {}) =>
    (await check([changed], options)).problems.map(({ kind }) => kind);

  it('is intact across processes, whole or rotated, and closed by processes that stop', async () => {
    expect(await check([lines], { stopped: true })).toMatchObject({ intact: true, lines: 10, chains: 3, open: [] });
    const other = ['{"level":30,"msg":"ready"}', 'not JSON', ''];
    expect(await check([[...other, ...lines.slice(0, 3)], lines.slice(3)])).toMatchObject({
      intact: true,
      otherLines: 2,
    });
  });

  it('shows each line that was removed, changed, repeated or moved before the end of its chain', async () => {
    for (const index of lines.keys()) {
      if ([4, 7, 9].includes(index)) continue; // the closing lines, see below
      expect(await kinds(without(index)), `line ${index + 1} removed`).not.toEqual([]);
      const changed = lines.map((line, position) => (position === index ? line.replace('acme', 'beta') : line));
      expect(await kinds(changed), `line ${index + 1} changed`).not.toEqual([]);
      expect(await kinds([...lines.slice(0, index + 1), ...lines.slice(index)])).toContain('order');
    }
    expect(await kinds([...without(2).slice(0, 2), lines[3] ?? '', lines[2] ?? '', ...lines.slice(4)])).toContain(
      'gap',
    );
    expect(await kinds(without(1))).toEqual(['start']);
    expect(await kinds(without(2, 3))).toEqual(['gap']);
    expect(await kinds(without(0, 1, 2), { olderGone: true })).toEqual([]);
  });

  it('shows a chain that was cut at its end if a later chain continues it, or if all chains must be closed', async () => {
    expect(await kinds(without(4))).toEqual(['link']);
    expect(await kinds(without(9))).toEqual([]);
    expect(await kinds(without(9), { stopped: true })).toEqual(['open']);
    expect(await kinds(without(8, 9), { stopped: true })).toEqual(['open']);
  });

  it('shows what was cut or changed since an earlier report, even if the rest was computed anew', async () => {
    const { heads } = await check([lines]);
    expect(parseHeads(JSON.stringify({ heads }))).toEqual(heads);
    const later = join(dir, 'later.log');
    writeFileSync(later, `${lines.join('\n')}\n`);
    await writeLog(later, 'v7');
    expect(await kinds(linesIn(later), { previous: heads })).toEqual([]);
    expect(await kinds(without(9), { previous: heads })).toEqual(['cut']);
    expect(await kinds([], { previous: heads })).toEqual(['cut', 'cut']); // one for each chain that no other continues
    const forged = lines.map((line, index) => (index === 9 ? line.replace('audit.close', 'erase') : line));
    expect(await kinds(forged, { previous: heads })).toEqual(['changed']);
  });
});

it('continues its chain in a new file after a rotation, and begins a new chain after a failed write', async () => {
  const path = join(dir, 'rotated.log');
  const audit = await openAudit(path);
  await audit.write(entry('v1'));
  renameSync(path, `${path}.1`);
  await audit.write(entry('v2'));
  await audit.close();
  expect([linesIn(`${path}.1`).length, linesIn(path).length]).toEqual([1, 2]);
  expect(await check([linesIn(`${path}.1`), linesIn(path)], { stopped: true })).toMatchObject({
    intact: true,
    chains: 1,
  });
  expect(await check([linesIn(path)])).toMatchObject({ problems: [{ kind: 'start' }] });

  const file = join(dir, 'target.log');
  const link = join(dir, 'link.log');
  writeFileSync(file, '');
  symlinkSync(file, link);
  const broken = await openAudit(link);
  await broken.write(entry('v1'));
  rmSync(link);
  symlinkSync('/dev/full', link);
  await expect(broken.write(entry('v2'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  rmSync(link);
  symlinkSync(file, link);
  await broken.write(entry('v3'));
  await broken.close();
  expect(await check([linesIn(file)])).toMatchObject({ intact: true, lines: 3, chains: 2 });
});

describe('refusals', () => {
  it('are counted exactly when there are many, and while the log cannot be written', async () => {
    const written: { what?: string; count?: number }[] = [];
    let works = true;
    const write = async (line: AuditEntry) => {
      if (!works) throw new Error('the disk is full');
      written.push(line);
    };
    const total = () => written.reduce((sum, { count = 1 }) => sum + count, 0);
    const refusals = new Refusals({ write }, { countRefusal: async () => undefined }, 20);
    const refuse = (what: string, times: number) =>
      Promise.all(
        Array.from({ length: times }, () =>
          refusals.record({ actor: null, what, requestId: 'r', address: '192.0.2.7' }),
        ),
      );
    await refuse('no_key', 15);
    await refuse('invalid_key', 30);
    expect(written).toHaveLength(20);
    await expect.poll(total).toBe(45);
    expect(written.at(-1)).toMatchObject({ what: 'invalid_key', count: 25 });
    works = false;
    await refuse('no_key', 7);
    works = true;
    await expect.poll(total).toBe(52);
    await refuse('no_key', 40);
    await refusals.close();
    expect(total()).toBe(92);
  });
});

describe('the acts', () => {
  const root = join(import.meta.dirname, '..', '..', '..');
  it('are the ones that docs/audit.md lists', () => {
    const page = readFileSync(join(root, 'docs', 'audit.md'), 'utf8');
    const [, table = ''] = /## Acts\n(.*?)\n## /s.exec(page) ?? [];
    const cells = [...table.matchAll(/^\| (`.*?`) \|/gm)].map(([, cell = '']) => cell);
    const documented = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, act]) => act));
    expect(documented.filter((act) => act !== 'act').sort()).toEqual([...ACTS].sort());
    const [, kinds = ''] = /\| `kind` \|(.*?)\n\n/s.exec(page) ?? [];
    expect([...kinds.matchAll(/^\| `(\w+)` \|/gm)].map(([, kind]) => kind)).toEqual([...PROBLEM_KINDS]);
  });

  it('are all written somewhere', () => {
    const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('operations/audit.ts'))
      .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
      .join('');
    expect(ACTS.filter((act) => !source.includes(`'${act}'`))).toEqual([]);
  });
});
