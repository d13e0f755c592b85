import { expect, it } from 'vitest';
import { Occupancy } from '../../../src/pipeline/occupancy.ts';

const never = () => new AbortController().signal;

/** Resolves once the callbacks of all promises that are settled by now have run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('lets a suspect in when everybody has left, and nobody in beside it', async () => {
  const occupancy = new Occupancy();
  const steps: string[] = [];
  const leaveOne = await occupancy.enter(never());
  const leaveTwo = await occupancy.enter(never());
  const alone = occupancy.enterAlone(never(), 60_000).then((leave) => {
    steps.push('alone');
    return leave;
  });
  const next = occupancy.enter(never()).then((leave) => {
    steps.push('next');
    return leave;
  });
  leaveOne();
  leaveOne(); // leaving twice has no further effect
  await settled();
  expect(steps).toEqual([]);
  leaveTwo();
  await settled();
  expect(steps).toEqual(['alone']);
  (await alone)?.();
  await next;
  expect(steps).toEqual(['alone', 'next']);
});

it('gives up if the process does not become empty in time, and lets the others in again', async () => {
  const occupancy = new Occupancy();
  await occupancy.enter(never());
  expect(await occupancy.enterAlone(never(), 1)).toBeNull();
  await occupancy.enter(never());
});

it('keeps two suspects apart', async () => {
  const occupancy = new Occupancy();
  const first = await occupancy.enterAlone(never(), 60_000);
  let second = false;
  const waiting = occupancy.enterAlone(never(), 60_000).then(() => {
    second = true;
  });
  await settled();
  expect(second).toBe(false);
  first?.();
  await waiting;
});

it('ends the wait with the signal, and makes room', async () => {
  const occupancy = new Occupancy();
  const leave = await occupancy.enter(never());
  const stop = new AbortController();
  const alone = occupancy.enterAlone(stop.signal, 60_000);
  const entering = occupancy.enter(stop.signal);
  stop.abort(new Error('over'));
  await expect(alone).rejects.toThrow('over');
  await expect(entering).rejects.toThrow('over');
  await occupancy.enter(never());
  leave();
});
