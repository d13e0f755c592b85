/** Tests that replies of Redis are read correctly: they tell what blocks a waiting verification. */
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { createNames } from '../../../src/redis/names.ts';
import { askSurroundings, type Place, Places } from '../../../src/redis/read-surroundings.ts';

const HERE: Place = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare' };
const THERE: Place = { region: 'ap-hongkong', action: 'VideoLivenessCompare' };
const CLOSED = [null, 'closed', 'NO_CREDENTIALS', '7', '9'];

function surroundingsFrom(places: readonly Place[], replies: readonly unknown[]) {
  const pipeline = new Redis({ lazyConnect: true }).pipeline().get('another command');
  const read = askSurroundings(pipeline, createNames('{test}'), places);
  return read(
    ['its reply', ...replies].map((reply): [null, unknown] => [null, reply]),
    5,
  );
}

it('finds the gate and the open breakers of a region', () => {
  const around = surroundingsFrom([THERE, HERE], [[null, null, null, null, null], CLOSED, null, 'cos:put cos:get']);
  expect(around(HERE)).toEqual({
    gate: { paused: false, closedFor: 'NO_CREDENTIALS', nextProbe: 7, nextSlot: 9 },
    down: ['cos:put', 'cos:get'],
    now: 5,
  });
  expect(around(THERE)).toMatchObject({ gate: { closedFor: null }, down: [] });
});

it('knows nothing that blocks a place for which it did not ask', () => {
  const around = surroundingsFrom([HERE], [CLOSED, 'cos:put']);
  expect(around(THERE)).toMatchObject({ gate: { paused: false, closedFor: null }, down: [] });
});

it('remembers each place once', () => {
  const places = new Places();
  expect([places.add([HERE, HERE]), places.add([HERE]), places.add([THERE, HERE])]).toEqual([true, false, true]);
  expect(places.all).toEqual([HERE, THERE]);
});
