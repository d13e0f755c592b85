/**
 * Tests that the product still contains the text of each protection that the chaos kit removes. A chaos run would take seconds
 * to show this.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { PROTECTIONS } from '../../chaos/protections.ts';

const SRC = join(import.meta.dirname, '..', '..', '..', 'src');

it.each(PROTECTIONS)('the text of $name occurs once', ({ changes }) => {
  for (const { file, find } of changes) {
    const source = readFileSync(join(SRC, file.replace(/\.js$/, '.ts')), 'utf8');
    expect(source.split(find).length - 1, `${file}: ${find}`).toBe(1);
  }
});
