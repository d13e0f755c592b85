/** Tests that the receipt of an erasure names exactly the classes of data in the data map of docs/privacy.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DATA_CLASSES, describeData } from '../../../src/domain/operations/data-map.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'privacy.md'), 'utf8');
const [, map = ''] = /## Data map\n(.*?)\n## /s.exec(page) ?? [];
const rows = [...map.matchAll(/^\| ([^|]+?) \|/gm)]
  .map(([, data = '']) => data)
  .filter((data) => !/^(data|-+)$/.test(data));

it('each row of the data map belongs to one class, and each class to one row', () => {
  const classes = Object.entries(DATA_CLASSES);
  const ofRow = (row: string) => classes.filter((each) => row.startsWith(each[1].row)).map(([name]) => name);
  expect(rows.map((row) => [row, ofRow(row).length])).toEqual(rows.map((row) => [row, 1]));
  expect(rows.flatMap(ofRow).sort()).toEqual(classes.map(([name]) => name).sort());
});

it('what is not confirmed yet is pending, and what never existed is none', () => {
  const fateOf = (objects: object | 'not_ours' | null, frame: object | 'none' | null) =>
    Object.fromEntries(describeData({ objects, frame, evidence: 'none' }).map(({ data, fate }) => [data, fate]));
  expect(fateOf(null, null)).toMatchObject({ ownBucket: 'pending', vendorBucket: 'none', frameInFolder: 'pending' });
  expect(fateOf({}, {})).toMatchObject({ ownBucket: 'deleted', frameInBucket: 'deleted', frameReceipt: 'deleted' });
  expect(fateOf('not_ours', 'none')).toMatchObject({
    ownBucket: 'none',
    vendorBucket: 'expires',
    frameInFolder: 'none',
  });
});
