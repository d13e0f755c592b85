/**
 * These faults come from the vendor: lost answers, slow answers, throttling, errors, redirects, and a refused account.
 */

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault as VendorFault } from '../../../src/emulator/control.ts';
import type { Fault } from '../fault.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

const DETECT_FAULTS: readonly VendorFault[] = [
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
  { kind: 'delay', action: DETECT, ms: 1_500 }, // longer than the time limit of the call
];

const OTHER_FAULTS: readonly VendorFault[] = [
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
  summary:
    'a few faults of FaceID and COS at once: lost, cut and late answers, 429, 5xx, 307, throttling, account errors',
  async run(world, random) {
    await world.fleet.start();
    for (let left = random.int(2, 4); left > 0; left -= 1) {
      const fault = random.pick(random.chance(0.6) ? DETECT_FAULTS : OTHER_FAULTS);
      await world.control.fault({ ...fault, times: random.int(1, 3) });
    }
    await world.produce(8);
  },
};

function outageOf(name: string, summary: string, ways: readonly VendorFault[]): Fault {
  return {
    name,
    summary,
    async run(world, random) {
      await world.fleet.start();
      await world.control.fault({ ...random.pick(ways), times: null });
      await world.produce(12);
      await sleep(random.int(6_000, 12_000)); // the outage itself
      await world.control.clearFaults();
    },
  };
}

export const vendorOutage = outageOf(
  'vendor-outage',
  'FaceID fails every call for longer than all attempts take: everything waits, and ends once it is over',
  [
    { kind: 'error', action: DETECT, code: 'InternalError' },
    { kind: 'drop', action: DETECT, when: 'before' },
  ],
);

/** Two minutes with the product's default lease, time limits and breakers. */
export const vendorOutageLong: Fault = {
  ...vendorOutage,
  name: 'vendor-outage-120',
  summary: 'FaceID fails every call for two minutes, with the product’s default lease and limits',
  long: true,
  async run(world) {
    await Promise.all([world.fleet.start(), world.fleet.start()]);
    await world.control.fault({ kind: 'error', action: DETECT, code: 'InternalError', times: null });
    const from = Date.now();
    await world.produce(60, { lane: 'batch' });
    await sleep(120_000); // the outage itself
    await world.control.clearFaults();
    world.windows.push({ from, to: Date.now(), why: 'vendor' });
  },
};

export const cosOutage = outageOf(
  'cos-outage',
  'COS fails every upload or every download for longer than all attempts take',
  [
    { kind: 'error', service: 'cos', action: 'PutObject', code: 'ServiceUnavailable' },
    { kind: 'status', service: 'cos', action: 'GetObject', status: 500 },
  ],
);

const FRAME_TTL_MS = 1_000;

export const expiry: Fault = {
  name: 'expiry',
  summary:
    'no worker runs between detect and download until the frame expires: the decision stands and nothing is paid again',
  async run(world) {
    await world.control.settings({ frameTtlMs: FRAME_TTL_MS });
    const victim = await world.fleet.start([{ at: 'stage:download:begin', act: 'kill' }]);
    await world.produce(3, { card: { card: 'match' } });
    await victim.exited;
    await sleep(FRAME_TTL_MS); // the frame's lifetime
    await world.fleet.start();
  },
};

/** Uses the product's default lease: the frame's link expires long before another worker takes over the work. */
export const expiryLong: Fault = { ...expiry, name: 'expiry-long', long: true };

const FORGED_TTL_MS = 15_000;

export const forged: Fault = {
  name: 'forged',
  summary: 'frames at the vendor are overwritten before they are downloaded',
  async run(world, random) {
    // A download is retried until its link expires, so the run ends only if the links expire soon.
    await world.control.settings({ frameTtlMs: FORGED_TTL_MS });
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
  summary: 'the account is in arrears for a while: the gate closes, probes and opens, and all verifications end',
  async run(world, random) {
    await world.fleet.start();
    await world.control.settings({ accountError: 'ResourceUnavailable.InArrears' });
    await world.produce(8);
    await world.control.waitFor({ code: 'ResourceUnavailable.InArrears' });
    await sleep(random.int(0, 2_000));
    await world.control.settings({ accountError: null });
  },
};
