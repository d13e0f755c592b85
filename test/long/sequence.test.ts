/**
 * Tests light sequences from the command line against real processes, including the deletion of objects that a killed process
 * leaves behind.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleDeviceData } from '../../src/emulator/samples.ts';
import { connectWorker, type RedisClient } from '../../src/redis/connection.ts';
import { createDeployment } from '../../src/redis/deployment.ts';
import { type EraseQueue, openEraseQueue } from '../../src/redis/erase-queue.ts';
import { cli, startCli } from '../support/cli.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const SEQUENCE = 'GenerateReflectSequence';

let world: TestWorld;
let redis: RedisClient;
let erase: EraseQueue;
let device: string;
let out: string;

beforeAll(async () => {
  world = await createWorld({ workers: 1 });
  redis = connectWorker(world.config.redis);
  erase = openEraseQueue(createDeployment(redis, world.config.prefix));
  device = join(world.dir, 'device.txt');
  out = join(world.dir, 'sequence.bin');
  await writeFile(device, sampleDeviceData({ card: 'match' }));
});
afterAll(async () => {
  await erase.close();
  redis.disconnect();
  await world.dispose();
});

async function objects(): Promise<string[]> {
  const buckets = [...world.config.buckets.values()];
  return (await world.control.objects()).filter(({ bucket }) => buckets.includes(bucket)).map(({ key }) => key);
}

it('writes the sequence to a file and deletes the device data', async () => {
  const { code, stdout, stderr } = await cli(['sequence', device, '-o', out, '--json'], world.env);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const bytes = await readFile(out);
  const said = JSON.parse(stdout) as { requestId: string };
  expect(said).toMatchObject({ out, bytes: bytes.length, md5: createHash('md5').update(bytes).digest('hex') });
  expect(await world.control.calls({ action: SEQUENCE })).toMatchObject([{ requestId: said.requestId }]);
  await expect.poll(objects).toEqual([]);
});

it('also works with CreateUploadUrl, and prints text', async () => {
  const args = ['sequence', device, '-o', out, '--upload', 'create-upload-url', '--level', '1'];
  const { code, stdout } = await cli(args, world.env);
  expect(code).toBe(0);
  expect(stdout).toMatch(/bytes, MD5 [0-9a-f]{32}, RequestId [0-9a-f-]{36}\n$/);
});

it('exits with 2 if the input must be fixed, and with 1 if the call can be repeated', async () => {
  await writeFile(`${device}.gz`, Buffer.from([0x1f, 0x8b, 8]));
  const wrong = await cli(['sequence', `${device}.gz`, '-o', out, '--json'], world.env);
  expect(wrong.code).toBe(2);
  expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: 'SOURCE_WRONG_KIND', field: 'deviceData' } });
  const nowhere = await cli(['sequence', `${device}.no`, '-o', out], world.env);
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('SOURCE_MISSING') });
  await world.control.fault({ kind: 'error', action: SEQUENCE, code: 'InternalError', times: 2 });
  const later = await cli(['sequence', device, '-o', out], world.env);
  expect(later).toMatchObject({ code: 1, stderr: expect.stringContaining('InternalError') });
});

it('leaves nothing in the bucket after its process is killed', async () => {
  await Promise.all((await erase.getDelayed()).map((job) => job.promote()));
  await expect.poll(objects).toEqual([]);
  await world.control.reset();
  await world.control.fault({ kind: 'hold', action: SEQUENCE });
  const { child, result } = startCli(['sequence', device, '-o', out], world.env);
  await world.control.waitFor({ action: SEQUENCE, event: 'held' });
  child.kill('SIGKILL');
  await result;
  expect(await objects()).toHaveLength(1);
  const [promised, ...others] = await erase.getDelayed();
  expect(others).toEqual([]);
  await promised?.promote(); // run the delayed deletion now
  await expect.poll(objects).toEqual([]);
});
