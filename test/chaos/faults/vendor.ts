/** What the vendor does: applies a call and drops the answer, is slow, throttles, breaks, redirects, refuses the account. */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault as VendorFault } from '../../../src/emulator/control.ts';
import type { Fault } from '../fault.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

const OF_DETECT: readonly VendorFault[] = [
  { kind: 'drop', action: DETECT },
  { kind: 'drop', action: DETECT, when: 'before' },
  { kind: 'cut', action: DETECT },
  { kind: 'status', action: DETECT, status: 502 },
  { kind: 'status', action: DETECT, status: 307 },
  { kind: 'status', action: DETECT, status: 429, retryAfterS: 1 },
  { kind: 'error', action: DETECT, code: 'InternalError' },
  { kind: 'error', action: DETECT, code: 'RequestLimitExceeded' },
  { kind: 'error', action: DETECT, code: 'ResourceUnavailable.InArrears' },
  { kind: 'error', action: DETECT, code: 'AuthFailure.SecretIdNotFound' },
  { kind: 'delay', action: DETECT, ms: 1_500 }, // longer than the call may take
];

const OF_THE_REST: readonly VendorFault[] = [
  { kind: 'status', action: 'CreateUploadUrl', status: 503 },
  { kind: 'drop', action: 'CreateUploadUrl' },
  { kind: 'error', action: 'CreateUploadUrl', code: 'RequestLimitExceeded' },
  { kind: 'drop', service: 'cos', action: 'PutObject' },
  { kind: 'error', service: 'cos', action: 'PutObject', code: 'SlowDown' },
  { kind: 'status', service: 'cos', action: 'GetObject', status: 500 },
  { kind: 'cut', service: 'cos', action: 'GetObject' },
  { kind: 'delay', service: 'cos', action: 'GetObject', ms: 700 },
  { kind: 'drop', service: 'cos', action: 'DeleteObject' },
  { kind: 'status', service: 'cos', action: 'DeleteObject', status: 503 },
];

export const vendor: Fault = {
  name: 'vendor',
  what: 'lost and cut answers, late ones, 429, 5xx, 307, throttling, account errors, of FaceID and COS, a few at once',
  async run(world, random) {
    await world.fleet.start();
    for (let left = random.int(2, 4); left > 0; left -= 1) {
      const fault = random.pick(random.chance(0.6) ? OF_DETECT : OF_THE_REST);
      await world.control.fault({ ...fault, times: random.int(1, 3) });
    }
    await world.produce(8);
  },
};

const FRAME_TTL_MS = 1_000;

export const expiry: Fault = {
  name: 'expiry',
  what: 'no worker between detect and download, until the frame has expired: the decision stands, nothing is paid again',
  async run(world) {
    await world.control.settings({ frameTtlMs: FRAME_TTL_MS });
    const victim = await world.fleet.start([{ at: 'stage:download:begin', act: 'kill' }]);
    await world.produce(3, { card: { card: 'match' } });
    await victim.exited;
    await sleep(FRAME_TTL_MS); // the frame's life itself
    await world.fleet.start();
  },
};

/** With the product's own lease: by then the frame is long gone. */
export const expiryLong: Fault = { ...expiry, name: 'expiry-long', long: true };

export const forged: Fault = {
  name: 'forged',
  what: 'somebody overwrites frames at the vendor before they are downloaded',
  async run(world, random) {
    const hold = await world.control.fault({
      kind: 'hold',
      service: 'cos',
      action: 'GetObject',
      object: 'faceid-result',
      times: null,
    });
    await world.fleet.start();
    await world.produce(3, { card: { card: 'match' } });
    await world.control.waitFor({ event: 'held', object: 'faceid-result' });
    const bytes = Buffer.from(`forged ${random.int(0, 1e9)}`);
    for (const { bucket, key } of await world.control.objects()) {
      if (bucket.startsWith('faceid-result')) await world.control.putObject(bucket, key, bytes);
    }
    world.forged.add(createHash('md5').update(bytes).digest('hex'));
    await world.control.release(hold);
  },
};

export const account: Fault = {
  name: 'account',
  what: 'the account is in arrears, and then it is not: the gate closes, probes and opens, and all go on',
  async run(world, random) {
    await world.fleet.start();
    await world.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    await world.produce(8);
    await world.control.waitFor({ code: 'ResourceUnavailable.InArrears' });
    await sleep(random.int(0, 2_000));
    await world.control.settings({ accountError: null });
  },
};
