import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';
import type { Deployment } from '../../../src/redis/deployment.ts';
import { NextPositions } from '../../../src/redis/history.ts';
import { createNames } from '../../../src/redis/names.ts';
import { runWithEntry } from '../../../src/redis/scripts/run-with-entry.ts';
import { Sealer } from '../../../src/redis/sealer.ts';

const ENTRY: HistoryEntry = { at: 1, event: 'frame_deleted' };
const KEYS = { journal: 'j', history: 'h', frames: 'f' };
const sealed = new Sealer(new Map([['k1', randomBytes(32)]]));

/** Answers script calls with these replies, and records the argument `entry` of each. */
function scripted(replies: unknown[], sealer = sealed) {
  const entries: string[] = [];
  const evalsha = async (...args: unknown[]) => {
    entries.push(String(args.at(-1)));
    return replies.shift();
  };
  const deployment = { redis: { evalsha }, names: createNames('{unit}'), sealer, positions: new NextPositions() };
  return { deployment: deployment as unknown as Deployment, entries };
}

const positionsIn = (entries: readonly string[]) => entries.map((entry) => Number.parseInt(entry, 10));

it('seals again for the position that a script answers, and remembers the next one', async () => {
  const { deployment, entries } = scripted([['moved', 5], ['moved', 6], 'ok', 'ok']);
  const append = { deployment, id: 'v1', entry: ENTRY };
  expect(await runWithEntry(append, 'forget-frame', KEYS, { id: 'v1' })).toBe('ok');
  expect(await runWithEntry(append, 'forget-frame', KEYS, { id: 'v1' })).toBe('ok');
  expect(positionsIn(entries)).toEqual([1, 5, 6, 7]);
});

it('does not count an entry that the script did not append', async () => {
  const { deployment, entries } = scripted([['slot', 1], ['go', 1], 'ok']);
  const isAppended = (reply: unknown) => Array.isArray(reply) && reply[0] === 'go';
  for (let call = 0; call < 3; call++) {
    await runWithEntry({ deployment, id: 'v1', entry: ENTRY, isAppended }, 'forget-frame', KEYS, { id: 'v1' });
  }
  expect(positionsIn(entries)).toEqual([1, 1, 2]);
});

it('gives up if the history changes during each of many writes', async () => {
  const { deployment } = scripted(Array.from({ length: 30 }, (_, index) => ['moved', index + 2]));
  const append = { deployment, id: 'v1', entry: ENTRY };
  await expect(runWithEntry(append, 'forget-frame', KEYS, { id: 'v1' })).rejects.toThrow(/changed during each of 20/);
});

it('numbers nothing without a key ring, and sends an empty entry if there is none', async () => {
  const { deployment, entries } = scripted(['ok', 'ok'], new Sealer());
  await runWithEntry({ deployment, id: 'v1', entry: ENTRY }, 'forget-frame', KEYS, { id: 'v1' });
  await runWithEntry({ deployment, id: 'v1', entry: null }, 'forget-frame', KEYS, { id: 'v1' });
  expect(entries).toEqual([JSON.stringify(ENTRY), '']);
});
