/** Tests that no value can break a line of CSV, read back by another program's parser. */
import { parse } from 'csv-parse/sync';
import { expect, it } from 'vitest';
import { csvLine } from '../../../src/server/dashboard/csv.ts';

it('keeps every value in its cell', () => {
  const cells = ['v1', 'a,b', 'say "no"', 'two\nlines', 'cr\rhere', ''];
  expect(parse(csvLine(cells))).toEqual([cells]);
});

it('writes numbers as they are, and nothing for what is absent', () => {
  expect(csvLine(['v1', 92.61, -1, null, undefined])).toBe('v1,92.61,-1,,\n');
});

it.each(['=1+1', '+1', '-1', '@x', '\tx'])('does not let a spreadsheet run %j', (code) => {
  expect(parse(csvLine([code]))).toEqual([[`'${code}`]]);
});
