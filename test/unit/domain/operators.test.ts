/** Tests operator logins: stored password hashes and the setting that lists operators. */
import { describe, expect, it } from 'vitest';
import {
  authenticateOperator,
  hashPassword,
  isPasswordHash,
  parseOperators,
} from '../../../src/domain/operations/operators.ts';

describe('a password', () => {
  it('is accepted only for its own operator', async () => {
    const [ana, vera] = [await hashPassword('ana-may-do-all'), await hashPassword('vera-only-looks')];
    const parsed = parseOperators([`ana=operator+frames=${ana}`, `vera=viewer=${vera}`, 'petra=operator']);
    if ('fault' in parsed) throw new Error(parsed.fault);
    const { operators } = parsed;
    expect(await authenticateOperator(operators, 'ana', 'ana-may-do-all')).toMatchObject({
      roles: ['operator', 'frames'],
    });
    expect(await authenticateOperator(operators, 'vera', 'vera-only-looks')).toMatchObject({ roles: [] });
    for (const [name, password] of [
      ['ana', 'vera-only-looks'],
      ['ana', ''],
      ['nobody', 'ana-may-do-all'],
      ['petra', ''],
    ] as const)
      expect(await authenticateOperator(operators, name, password)).toBeNull();
  });

  it('gets a new salt each time', async () => {
    expect(await hashPassword('the same')).not.toBe(await hashPassword('the same'));
  });
});

it.each([
  ['no roles', 'ana', null],
  ['an unknown role', 'ana=admin', /the roles viewer, operator and frames/],
  ['a plain password', 'ana=operator=open-sesame', /use a password hash/],
  ['a name with a space', 'ana lopez=operator', /is not name=roles=password/],
])('parses %s', (_title, entry, fault) => {
  const parsed = parseOperators([entry]);
  if (fault === null) expect(parsed).toEqual({ operators: [{ name: 'ana', roles: [], password: null }] });
  else expect(parsed).toEqual({ fault: expect.stringMatching(fault) });
});

it('parses roles in any order, and ignores viewer and empty ones', () => {
  const hash = `scrypt:${'s'.repeat(22)}:${'k'.repeat(43)}`;
  const entries = [`ana.b@c-d_1=frames+operator=${hash}`, 'vera=viewer', 'petra=+operator+', `${'n'.repeat(64)}=`];
  expect(parseOperators(entries)).toEqual({
    operators: [
      { name: 'ana.b@c-d_1', roles: ['operator', 'frames'], password: hash },
      { name: 'vera', roles: [], password: null },
      { name: 'petra', roles: ['operator'], password: null },
      { name: 'n'.repeat(64), roles: [], password: null },
    ],
  });
});

it.each(['', '=operator', `${'n'.repeat(65)}=`, 'ana lopez=', ' ana=', 'ana=operator=', 'ana=operator+admin'])(
  'refuses %j',
  (entry) => expect(parseOperators([entry])).toHaveProperty('fault'),
);

it.each([
  `xscrypt:${'s'.repeat(22)}:${'k'.repeat(43)}`,
  `scrypt:${'s'.repeat(22)}:${'k'.repeat(43)}x`,
  `scrypt:${'s'.repeat(21)}:${'k'.repeat(43)}`,
  `scrypt:${'s'.repeat(22)}:${'k'.repeat(42)}`,
  `scrypt:${'s'.repeat(21)}+:${'k'.repeat(43)}`,
])('%s is no hash', async (password) => {
  expect(isPasswordHash(password)).toBe(false);
  const operators = [{ name: 'ana', roles: [], password }];
  await expect(authenticateOperator(operators, 'ana', 'x')).rejects.toThrow('the stored password is not a hash');
});

it('a password is the same in every Unicode form', async () => {
  const password = await hashPassword('caf\u00e9');
  expect(isPasswordHash(password)).toBe(true);
  const operators = [{ name: 'ana', roles: [], password }];
  expect(await authenticateOperator(operators, 'ana', 'cafe\u0301')).toBe(operators[0]);
});

it('rejects a name that occurs twice', () => {
  expect(parseOperators(['ana=', 'ana=operator'])).toEqual({ fault: expect.stringMatching(/names ana twice/) });
});
