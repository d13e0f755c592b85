import { expect, it } from 'vitest';
import { SourceShares, sharesOf } from '../../../src/pipeline/source-shares.ts';

it('gives one host half of the slots, and all hosts three quarters', async () => {
  const shares = new SourceShares(8);
  const leaves = [];
  for (let n = 0; n < 4; n += 1) leaves.push(await shares.enter(['slow.example']));
  expect(leaves.every((leave) => leave !== null)).toBe(true);
  expect(await shares.enter(['slow.example'])).toBeNull();
  expect(await shares.enter(['a.example'])).not.toBeNull();
  expect(await shares.enter(['b.example'])).not.toBeNull();
  expect(await shares.enter(['c.example'])).toBeNull();
  leaves[0]?.();
  leaves[0]?.(); // leaving twice frees only one slot
  expect(await shares.enter(['slow.example', 'c.example'])).not.toBeNull();
  expect(await shares.enter(['slow.example'])).toBeNull();
});

it('waits a moment for a host that is not slow', async () => {
  const shares = new SourceShares(1);
  const leave = await shares.enter(['a.example']);
  const next = shares.enter(['a.example']);
  leave?.();
  expect(await next).not.toBeNull();
});

it('gives one tenant half of the slots, whatever number of hosts it names', async () => {
  const shares = new SourceShares(8);
  for (let n = 0; n < 4; n += 1) expect(await shares.enter([`host ${n}.example`, 'tenant shop'])).not.toBeNull();
  expect(await shares.enter(['host 5.example', 'tenant shop'])).toBeNull();
  expect(await shares.enter(['host 5.example', 'tenant bank'])).not.toBeNull();
});

it('needs one share for each host and one for the tenant, and none for files', () => {
  const https = (url: string) => ({ from: 'https', url }) as const;
  const order = { resources: { liveData: https('https://a.example/1'), image: https('https://a.example/2') } };
  expect(sharesOf(order as never, null)).toEqual(['host a.example']);
  expect(sharesOf(order as never, 'shop')).toEqual(['host a.example', 'tenant shop']);
  expect(sharesOf({ resources: { image: { from: 'file', path: '/a' } } } as never, 'shop')).toEqual([]);
});
