/** Tests whether a queue would hand out a job to an idle worker. */
import type { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { areGatesOpen, hasTakeableJob } from '../../src/redis/takeable.ts';
import { openVerifyQueue } from '../../src/redis/verify-queue.ts';
import { createRig, type Rig } from '../support/rig.ts';

const PLACE = { region: 'ap-singapore', action: 'DetectReflectLivenessAndCompare' } as const;
const WHY = { by: 'maria', why: 'test' };

let rig: Rig;
let queue: Queue;

beforeAll(async () => {
  rig = await createRig();
  queue = openVerifyQueue(rig.deployment, 'ap-singapore');
});
afterAll(async () => {
  await queue.close();
  await rig.dispose();
});

it('says whether a job waits that the queue hands out', async () => {
  expect(await hasTakeableJob(queue)).toBe(false);
  await rig.client.enqueue(await rig.request('waits'));
  expect(await hasTakeableJob(queue)).toBe(true);
  await queue.pause();
  expect(await hasTakeableJob(queue)).toBe(false);
  await queue.resume();
  await queue.setGlobalConcurrency(1);
  expect(await hasTakeableJob(queue)).toBe(true);
  await rig.redis.lpush(`${rig.config.prefix}:verify-ap-singapore:active`, 'another'); // another worker runs a job
  expect(await hasTakeableJob(queue)).toBe(false);
});

it('says whether the gates of a region are open', async () => {
  expect(await areGatesOpen(rig.deployment, 'ap-singapore')).toBe(true);
  await rig.client.steerGate(PLACE, 'pause', WHY);
  expect(await areGatesOpen(rig.deployment, 'ap-singapore')).toBe(false);
  expect(await areGatesOpen(rig.deployment, 'ap-hongkong')).toBe(true);
});
