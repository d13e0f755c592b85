/** The audit log: whole lines, appended, on the disk before the act; and a failure where that is not possible. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AuditEntry, openAudit } from '../../src/audit.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bestframe-audit-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const entry = (on: string): AuditEntry => ({ act: 'erase', actor: 'k1', tenant: 'acme', on, purpose: 'asked' });

it('appends whole lines, many at once too, behind what is there, for its owner only', async () => {
  const path = join(dir, 'audit.log');
  const first = await openAudit(path);
  await first.write(entry('v0'));
  const second = await openAudit(path);
  await Promise.all(Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? first : second).write(entry(`v${i + 1}`))));
  await Promise.all([first.close(), second.close(), first.close()]);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(201);
  const read = lines.map((line) => JSON.parse(line) as Record<string, string>);
  expect(read[0]).toEqual({ at: expect.any(String), ...entry('v0') });
  expect(new Set(read.map(({ on }) => on)).size).toBe(201);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('is on the disk when it is said to be', async () => {
  const path = join(dir, 'at-once.log');
  const audit = await openAudit(path);
  for (let i = 0; i < 5; i += 1) {
    await audit.write(entry(`v${i}`));
    expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(i + 1);
  }
  await audit.close();
});

it('fails where it cannot be written: each act that waits for it, and opening', async () => {
  const full = await openAudit('/dev/full');
  const acts = await Promise.allSettled([full.write(entry('v1')), full.write(entry('v2'))]);
  for (const act of acts) expect(act).toMatchObject({ status: 'rejected', reason: { code: 'AUDIT_UNAVAILABLE' } });
  await full.close();
  writeFileSync(join(dir, 'file'), '');
  await expect(openAudit(join(dir, 'file', 'audit.log'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
});
