/** Tests the record of refused logins: every refusal is counted, also when it has no line in the audit log. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { AuditEntry } from '../../../src/domain/operations/audit.ts';
import { Refusals } from '../../../src/server/refusals.ts';

const REFUSAL = { actor: null, address: '192.0.2.7', requestId: 'r', what: 'form wrong' };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function record(write: (entry: AuditEntry) => Promise<void>) {
  let counted = 0;
  const countRefusal = async () => {
    counted += 1;
  };
  const refusals = new Refusals({ write }, { countRefusal });
  return { refusals, counted: () => counted };
}

it('writes 20 lines in a second, then one line with the number of the others', async () => {
  const lines: AuditEntry[] = [];
  const { refusals, counted } = record(async (entry) => void lines.push(entry));
  for (let index = 0; index < 57; index += 1) await refusals.record(REFUSAL);
  expect(lines).toHaveLength(20);
  expect(lines[0]).toEqual({ act: 'login.refused', tenant: null, ...REFUSAL });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(lines.slice(20)).toEqual([{ act: 'login.refused', tenant: null, actor: null, what: 'form wrong', count: 37 }]);
  await refusals.record(REFUSAL);
  expect(lines).toHaveLength(22);
  expect(counted()).toBe(58);
});

it('writes the number when it is closed, and none if there is nothing to say', async () => {
  const lines: AuditEntry[] = [];
  const { refusals } = record(async (entry) => void lines.push(entry));
  for (let index = 0; index < 25; index += 1) await refusals.record(REFUSAL);
  await refusals.close();
  expect(lines.at(-1)).toMatchObject({ what: 'form wrong', count: 5 });
  await refusals.close();
  expect(lines).toHaveLength(21);
  expect(vi.getTimerCount()).toBe(0);
});

it('does not fail if the audit log or Redis is unavailable', async () => {
  const { refusals, counted } = record(() => Promise.reject(new Error('full')));
  await refusals.record(REFUSAL);
  expect(counted()).toBe(1);
  const without = new Refusals(
    { write: async () => undefined },
    { countRefusal: () => Promise.reject(new Error('away')) },
  );
  await without.record(REFUSAL);
  await without.close();
  await refusals.close();
});
