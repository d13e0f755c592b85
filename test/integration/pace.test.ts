/**
 * Tests that the Lua scripts and TypeScript agree: both compute the same pace of a rate and the same time in the express lane.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readGates } from '../../src/redis/gates.ts';
import { INCLUDES } from '../../src/redis/scripts/lua.ts';
import { slowRate } from '../../src/redis/scripts/slow-rate.ts';
import { createRig, type Rig } from '../support/rig.ts';

const CALL = { region: 'ap-singapore', call: 'DetectReflectLivenessAndCompare' } as const;
const SRC = join(import.meta.dirname, '..', '..', 'src');

let rig: Rig;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.dispose());

it.each([0, 1_000, 15_000, 30_000, 61_000, 300_000])('reads the pace of %i ms ago as the scripts do', async (ageMs) => {
  const { gate } = rig.names.gate(CALL.region, CALL.call);
  const [seconds = 0, micros = 0] = await rig.redis.time();
  const now = seconds * 1_000 + Math.floor(micros / 1_000);
  await rig.redis.hset(gate, { pace: '3.5', paceAt: now - ageMs });
  const text = `${INCLUDES.gate}\n${INCLUDES.pace}\nreturn tostring(paceOf(readGate(KEYS[1]), tonumber(ARGV[1])))`;
  const byScript = Number(await rig.redis.eval(text, 1, gate, now));
  const [view] = (await readGates(rig.deployment, now)).filter(({ action }) => action === CALL.call);
  expect(view?.pace).toBe(Math.round(byScript * 100) / 100);
});

it('slows down by a quarter each time, up to four times', async () => {
  const { gate } = rig.names.gate(CALL.region, CALL.call);
  await rig.redis.del(gate);
  for (let times = 0; times < 10; times += 1) await slowRate(rig.deployment, CALL, 1);
  expect(Number(await rig.redis.hget(gate, 'pace'))).toBeLessThanOrEqual(4);
  expect(Number(await rig.redis.hget(gate, 'pace'))).toBeGreaterThan(3.9);
});

it('keeps interactive work in the express lane as long as admission assumes', () => {
  const [, inLua] = /EXPRESS_MS = (\d+)/.exec(INCLUDES.admission) ?? [];
  const enqueue = readFileSync(join(SRC, 'client', 'redis', 'enqueue.ts'), 'utf8');
  const [, inClient = ''] = /EXPRESS_HOLD_MS = ([\d_]+)/.exec(enqueue) ?? [];
  expect(Number(inClient.replaceAll('_', ''))).toBe(Number(inLua));
});
