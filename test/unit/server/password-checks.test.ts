/** Tests the order of password checks. */
import { expect, it } from 'vitest';
import { PasswordChecks } from '../../../src/server/dashboard/password-checks.ts';

/** Checks that run until they are released, and the order in which they started. */
function openChecks() {
  const checks = new PasswordChecks();
  const started: string[] = [];
  const releases: (() => void)[] = [];
  const run = (address: string, name: string) =>
    checks.run({ address, name }, async () => {
      started.push(`${address} ${name}`);
      await new Promise<void>((resolve) => releases.push(resolve));
      return started.length;
    });
  /** Ends the oldest running check, so that the next one starts. */
  const release = async () => {
    releases.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { run, release, started };
}

it('a right password waits for one check of a flood, not for all', async () => {
  const { run, release, started } = openChecks();
  const flood = Array.from({ length: 40 }, (_, index) => run('flood', `guess-${index}`));
  const right = run('office', 'ana');
  await release();
  await release();
  expect(started.slice(0, 4)).toEqual(['flood guess-0', 'flood guess-1', 'flood guess-2', 'office ana']);
  for (let index = 0; index < 41; index += 1) await release();
  expect(await right).not.toBeNull();
  expect(started).toHaveLength(41);
  expect(await Promise.all(flood)).not.toContain(null);
});

it('a right password behind the same address waits for one check of each other name', async () => {
  const { run, release, started } = openChecks();
  const flood = Array.from({ length: 40 }, () => run('shared', 'root'));
  const right = run('shared', 'ana');
  await release();
  await release();
  expect(started.slice(0, 4)).toEqual(['shared root', 'shared root', 'shared root', 'shared ana']);
  for (let index = 0; index < 41; index += 1) await release();
  await Promise.all([...flood, right]);
});

it('runs two checks at once, passes on the place of one that throws, and refuses what would wait too long', async () => {
  const checks = new PasswordChecks();
  const failing = checks.run({ address: 'a', name: 'x' }, () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  const { run, release, started } = openChecks();
  const all = Array.from({ length: 203 }, (_, index) => run(`address-${index}`, 'ana'));
  expect(started).toHaveLength(2);
  expect(await all[202]).toBeNull();
  for (let index = 0; index < 202; index += 1) await release();
  expect(await Promise.all(all.slice(0, 202))).not.toContain(null);
});
