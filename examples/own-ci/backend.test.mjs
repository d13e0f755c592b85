/** Tests your backend against the emulator. The test card inside a recording decides how FaceID answers. */
import { BestframeHttpClient } from 'bestframe-client/http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAccount } from './backend.mjs';
import { startWorld } from './world.mjs';

/** @type {Awaited<ReturnType<typeof startWorld>>} */
let world;
/** @type {BestframeHttpClient} */
let bestframe;

beforeAll(async () => {
  world = await startWorld();
  bestframe = new BestframeHttpClient({ url: world.url, key: world.key });
});

afterAll(async () => {
  await bestframe?.close();
  await world?.stop();
});

test.each([
  ['match', 201],
  ['lowSimilarity', 403], // a live person, but not the one in the photo
  ['spoof', 403], // a recording of a recording
  ['badLight', 422],
])('the test card %s is answered with %i', async (card, status) => {
  expect(await openAccount(bestframe, { session: `session-${card}`, ...world.sample(card) })).toMatchObject({ status });
});

test('the same session again has the same answer and is paid once', async () => {
  const visit = { session: 'session-repeated', ...world.sample('match') };
  const first = await openAccount(bestframe, visit);
  expect(await openAccount(bestframe, visit)).toEqual(first);
  expect(await bestframe.getByKey('session-repeated')).toMatchObject({ paidCalls: 1 });
});
