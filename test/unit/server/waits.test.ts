/** Tests that a wait is answered before common proxies in front of the API time out. */
import { expect, it } from 'vitest';
import { waitQuery } from '../../../src/server/api/schemas.ts';

it.each([
  [undefined, 0],
  ['20', 20],
  ['50', 50],
  ['51', 50],
  ['60', 50],
])('?wait=%s waits for %i s', (wait, seconds) => {
  expect(waitQuery.parse(wait === undefined ? {} : { wait })).toEqual({ wait: seconds });
});

it('refuses more than a minute by name', () => {
  expect(waitQuery.safeParse({ wait: '61' }).error?.issues[0]?.message).toMatch(/above 60/);
});
