import { userInfo } from 'node:os';
import { expect, it, vi } from 'vitest';
import { operatorName } from '../../../src/cli/operator.ts';

vi.mock('node:os', async (original) => ({ ...(await original<typeof import('node:os')>()), userInfo: vi.fn() }));

it('is the given name, else that of the user, else the number of the user', () => {
  vi.mocked(userInfo).mockReturnValue({ username: 'maria' } as ReturnType<typeof userInfo>);
  expect([operatorName('ana'), operatorName(undefined)]).toEqual(['ana', 'maria']);
  vi.mocked(userInfo).mockImplementation(() => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  });
  expect(operatorName(undefined)).toBe(`uid ${process.getuid?.()}`);
});
