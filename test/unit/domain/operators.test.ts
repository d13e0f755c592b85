/** Who may log in: passwords that are kept as hashes, and a setting that says what is wrong with it. */
import { describe, expect, it } from 'vitest';
import { hashPassword, operatorBy, readOperators } from '../../../src/domain/operators.ts';

describe('a password', () => {
  it('opens for its own name and nobody else’s', async () => {
    const [ana, vera] = [await hashPassword('ana-may-do-all'), await hashPassword('vera-only-looks')];
    const read = readOperators([`ana=operator+frames=${ana}`, `vera=viewer=${vera}`, 'petra=operator']);
    if ('fault' in read) throw new Error(read.fault);
    const { operators } = read;
    expect(await operatorBy(operators, 'ana', 'ana-may-do-all')).toMatchObject({ roles: ['operator', 'frames'] });
    expect(await operatorBy(operators, 'vera', 'vera-only-looks')).toMatchObject({ roles: [] });
    for (const [name, password] of [
      ['ana', 'vera-only-looks'],
      ['ana', ''],
      ['nobody', 'ana-may-do-all'],
      ['petra', ''],
    ] as const)
      expect(await operatorBy(operators, name, password)).toBeNull();
  });

  it('is never kept alike twice', async () => {
    expect(await hashPassword('the same')).not.toBe(await hashPassword('the same'));
  });
});

it.each([
  ['no roles', 'ana', null],
  ['an unknown role', 'ana=admin', /roles are viewer, operator and frames/],
  ['a plain password', 'ana=operator=open-sesame', /a password is what/],
  ['a name with a space', 'ana lopez=operator', /is not name=roles=password/],
])('%s', (_name, entry, fault) => {
  const read = readOperators([entry]);
  if (fault === null) expect(read).toEqual({ operators: [{ name: 'ana', roles: [], password: null }] });
  else expect(read).toEqual({ fault: expect.stringMatching(fault) });
});

it('a name twice', () => {
  expect(readOperators(['ana=', 'ana=operator'])).toEqual({ fault: expect.stringMatching(/names ana twice/) });
});
