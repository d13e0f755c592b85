import { expect, it } from 'vitest';
import { operatorName } from '../../../src/cli/operator.ts';

it('is the given name, else that of the user, else the number of the user', () => {
  const maria = () => ({ username: 'maria' });
  expect([operatorName('ana', maria), operatorName(undefined, maria)]).toEqual(['ana', 'maria']);
  const nameless = () => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  };
  expect(operatorName(undefined, nameless)).toBe(`uid ${process.getuid?.()}`);
});
