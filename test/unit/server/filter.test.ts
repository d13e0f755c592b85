/** Tests the filter of the list of verifications, as it is in an address. */
import { expect, it } from 'vitest';
import { queryOf, readFilter } from '../../../src/server/dashboard/filter.ts';

const NOW = Date.parse('2026-11-29T12:00:00Z');

it('reads fields with known values, and leaves the others out', () => {
  const given = {
    state: 'failed',
    decision: 'maybe',
    region: 'ap-singapore',
    class: 'transient',
    ended: 'yes',
    code: ' HTTP_5XX ',
    tenant: 'acme',
    x: '1',
  };
  const { fields, filter, tenant } = readFilter(given, NOW);
  expect(fields).toEqual({
    state: 'failed',
    region: 'ap-singapore',
    class: 'transient',
    ended: 'yes',
    code: 'HTTP_5XX',
    tenant: 'acme',
  });
  expect(filter).toMatchObject({
    state: 'failed',
    region: 'ap-singapore',
    class: 'transient',
    ended: true,
    code: 'HTTP_5XX',
  });
  expect(filter).not.toHaveProperty('tenant');
  expect(tenant).toBe('acme');
});

it.each([
  ['90m', '2026-11-29T10:30:00.000Z'],
  ['2h', '2026-11-29T10:00:00.000Z'],
  ['3d', '2026-11-26T12:00:00.000Z'],
  ['2026-11-25', '2026-11-25T00:00:00.000Z'],
  ['2026-11-25T09:30:00Z', '2026-11-25T09:30:00.000Z'],
  ['yesterday', undefined],
  ['', undefined],
])('reads the time %s', (since, expected) => {
  expect(readFilter({ since }, NOW).filter.since).toBe(expected);
});

it.each(['<b>', "a'b", '__proto__;', 'x'.repeat(200)])('a code such as %s is left out', (code) => {
  expect(readFilter({ code }, NOW).fields).toEqual({});
});

it('its address reads as the same filter', () => {
  const { fields } = readFilter({ state: 'held', since: '2h', subject: 'María & co', lane: 'batch' }, NOW);
  expect(readFilter(Object.fromEntries(new URLSearchParams(queryOf(fields))), NOW).fields).toEqual(fields);
  expect(queryOf({ a: '', b: undefined, c: '1' })).toBe('c=1');
});
