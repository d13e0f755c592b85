/** Tests that the version in the code equals the package's version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { USER_AGENT, VERSION } from '../../../src/domain/version.ts';

it('is the version of package.json', () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
  expect(VERSION).toBe(version);
  expect(USER_AGENT).toBe(`bestframe/${version}`);
});
