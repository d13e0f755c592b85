import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HistoryEntry } from '../../../src/domain/verification/history.ts';
import { entryText, MAX_ENTRIES, NextPositions, openHistory } from '../../../src/redis/history.ts';
import { Sealer } from '../../../src/redis/sealer.ts';

const sealer = new Sealer(new Map([['k1', randomBytes(32)]]));
const plain = new Sealer();
const SEALED = { isSealed: true, createdAt: 7 };

const entryAt = (position: number): HistoryEntry => ({ at: position, event: 'done', stage: 'upload', ms: position });
const textAt = (position: number, id = 'v1') => entryText(sealer, id, position, entryAt(position));

/** Texts of entries `from` to `to`, as Redis stores them. */
const texts = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => textAt(from + index));
const open = (stored: readonly string[], more = SEALED) => openHistory(sealer, 'v1', stored, more);
/** Entries as their positions; `?` stands for an `altered` entry. */
const shown = (stored: readonly string[]) =>
  open(stored)
    .map(({ event, at }) => (event === 'altered' ? '?' : `${at}`))
    .join(' ');

describe('a sealed history', () => {
  it('opens as it was written, also after older entries were dropped from a full list', () => {
    expect(shown(texts(1, 4))).toBe('1 2 3 4');
    expect(open(texts(9, 8 + MAX_ENTRIES)).map(({ at }) => at)).toEqual(
      Array.from({ length: MAX_ENTRIES }, (_, index) => 9 + index),
    );
  });

  it.each([
    ['swapped', [1, 3, 2, 4], '1 ? 3 ? 4'],
    ['repeated', [1, 2, 2, 3], '1 2 ? 3'],
    ['removed from the middle', [1, 2, 4], '1 2 ? 4'],
    ['removed from the start', [2, 3, 4], '? 2 3 4'],
    ['moved to the end', [1, 3, 4, 2], '1 ? 3 4 ?'],
  ])('shows where entries were %s', (_name, positions, expected) => {
    expect(shown(positions.map((position) => textAt(position)))).toBe(expected);
  });

  it('shows where an entry was given another position, came from another verification, or was replaced', () => {
    const [first = '', second = ''] = texts(1, 2);
    const renumbered = (text: string, position: number) => `${position}${text.slice(text.indexOf(':'))}`;
    expect(shown([first, renumbered(first, 2)])).toBe('1 ?');
    expect(shown([renumbered(second, 1), renumbered(first, 2)])).toBe('?');
    expect(shown([first, textAt(2, 'v2')])).toBe('1 ?');
    expect(shown([first, JSON.stringify(entryAt(2))])).toBe('1 ?');
    expect(shown([first, '2:{}', '2:\u0001k1:AAAA', 'rubbish'])).toBe('1 ?');
    expect(open([JSON.stringify(entryAt(1))])).toEqual([{ at: 7, event: 'altered' }]);
  });

  it('shows every change except the removal of the newest entries', () => {
    const stored = fc.integer({ min: 1, max: 8 }).map((length) => texts(1, length));
    const change = fc.oneof(
      fc.record({ kind: fc.constant('move' as const), from: fc.nat(), to: fc.nat() }),
      fc.record({ kind: fc.constant('repeat' as const), from: fc.nat(), to: fc.nat() }),
      fc.record({ kind: fc.constant('remove' as const), from: fc.nat(), to: fc.nat() }),
    );
    fc.assert(
      fc.property(stored, fc.array(change, { minLength: 1, maxLength: 4 }), (before, changes) => {
        const after = [...before];
        for (const { kind, from, to } of changes) {
          const index = from % Math.max(after.length, 1);
          const [text] = kind === 'repeat' ? after.slice(index, index + 1) : after.splice(index, 1);
          if (kind !== 'remove' && text !== undefined) after.splice(to % (after.length + 1), 0, text);
        }
        const isPrefix = after.every((text, index) => text === before[index]);
        expect(open(after).some(({ event }) => event === 'altered')).toBe(!isPrefix);
      }),
    );
  });

  it('may begin with entries in clear, if the record was made before the key ring was configured', () => {
    const before = [1, 2].map((position) => entryText(plain, 'v1', position, entryAt(position)));
    const record = { isSealed: false, createdAt: 7 };
    expect(open([...before, textAt(3)], record).map(({ at }) => at)).toEqual([1, 2, 3]);
    expect(open([textAt(1), ...before], record).at(-1)).toEqual({ at: 1, event: 'altered' });
  });

  it('cannot be opened without its key', () => {
    const other = new Sealer(new Map([['k2', randomBytes(32)]]));
    expect(() => openHistory(other, 'v1', texts(1, 1), SEALED)).toThrow(
      expect.objectContaining({ code: 'SEAL_KEY_MISSING' }),
    );
  });
});

it('rounds durations to whole milliseconds', () => {
  expect(JSON.parse(entryText(plain, 'v1', 1, { at: 1, event: 'done', ms: 1.6 }))).toEqual({
    at: 1,
    event: 'done',
    ms: 2,
  });
});

it('keeps as many entries as the scripts', () => {
  const lua = readFileSync(new URL('../../../src/redis/scripts/includes/history.lua', import.meta.url), 'utf8');
  expect(lua).toContain(`local MAX_ENTRIES = ${MAX_ENTRIES}\n`);
});

it('remembers the next positions of the latest thousand histories', () => {
  const positions = new NextPositions();
  for (let number = 1; number <= 1_001; number++) positions.set(`v${number}`, number + 1);
  expect([positions.get('v1'), positions.get('v2'), positions.get('v1001')]).toEqual([1, 3, 1_002]);
});
