/** Tests that replies of Redis are read correctly: they tell what blocks a waiting verification. */
import { expect, it } from 'vitest';
import { ACTION_NAMES, REGIONS, type Region } from '../../../src/domain/verification/actions.ts';
import { surroundingsFrom } from '../../../src/redis/read-surroundings.ts';

const gates = REGIONS.flatMap((region) => ACTION_NAMES.map((action) => [region, action]));
const replies = (open: string | null) =>
  [...gates.map(() => [null, 'closed', 'NO_CREDENTIALS', '7', '9']), ...REGIONS.map(() => open)].map(
    (reply): [null, unknown] => [null, reply],
  );

it('finds the gate and the open breakers of a region', () => {
  const around = surroundingsFrom(replies('cos:put cos:get'), 5)('ap-singapore', ACTION_NAMES[0]);
  expect(around).toEqual({
    gate: { paused: false, closedFor: 'NO_CREDENTIALS', nextProbe: 7, nextSlot: 9 },
    down: ['cos:put', 'cos:get'],
    now: 5,
  });
});

it('knows nothing that blocks a region of another version, or a record that lacks its region', () => {
  for (const region of ['ap-tokyo', undefined] as unknown as Region[]) {
    expect(surroundingsFrom(replies('cos:put'), 5)(region, ACTION_NAMES[0])).toMatchObject({
      gate: { paused: false, closedFor: null },
      down: [],
    });
  }
});
