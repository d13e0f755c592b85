/** Tests that the fixture of Tencent's models equals the models of the installed SDK. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { VENDOR_FIXTURES } from '../support/vendor-facts.ts';

interface Extract {
  readonly sdk: string;
  readonly version: string;
  readonly models: Readonly<Record<string, Readonly<Record<string, string>> | null>>;
}

const EXTRACT = 'test/fixtures/vendor/extract.mjs';

/** @returns one line for each field that was added, removed or retyped, and for each model that was added or removed. */
function changes(from: Extract, to: Extract): string[] {
  const names = [...new Set([...Object.keys(from.models), ...Object.keys(to.models)])];
  return names.flatMap((name) => {
    const [before, after] = [from.models[name] ?? null, to.models[name] ?? null];
    if (before === null || after === null) {
      return before === after ? [] : [`${name}: ${before === null ? 'new in' : 'gone from'} the SDK`];
    }
    return [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((field) => before[field] !== after[field])
      .map((field) => `${name}.${field}: ${before[field] ?? 'absent'} → ${after[field] ?? 'absent'}`);
  });
}

const fixture = JSON.parse(readFileSync(join(VENDOR_FIXTURES, 'models.json'), 'utf8')) as Extract;

it('has the models of the installed SDK', () => {
  const output = execFileSync(process.execPath, [join(VENDOR_FIXTURES, 'extract.mjs'), '--print'], {
    encoding: 'utf8',
  });
  const installed = JSON.parse(output) as Extract;
  const versions = `${installed.sdk} ${installed.version} is installed, and the fixture is of ${fixture.version}`;
  const advice = `Run \`node ${EXTRACT}\`, check the difference, and change product and emulator where it concerns them.`;
  expect(changes(fixture, installed), `${versions}. ${advice}`).toEqual([]);
});

it('has fields in every model that the SDK has', () => {
  const models = Object.entries(fixture.models).filter(([, fields]) => fields !== null);
  expect(models.map(([name]) => name)).toContain('FileInfo');
  for (const [name, fields] of models) expect([name, Object.keys(fields ?? {}).length]).not.toContain(0);
});

it('names every change of a newer SDK', () => {
  const newer: Extract = {
    ...fixture,
    models: {
      ...fixture.models,
      FileInfo: { Url: 'string', MD5: 'string', Size: 'string', Type: 'string' },
      CreateUploadUrlRequest: null,
      VideoLivenessCompareResponse: { Sim: 'number' },
    },
  };
  expect(changes(fixture, newer).sort()).toEqual([
    'CreateUploadUrlRequest: gone from the SDK',
    'FileInfo.Size: number → string',
    'FileInfo.Type: absent → string',
    'VideoLivenessCompareResponse: new in the SDK',
  ]);
});
