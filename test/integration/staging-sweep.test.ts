/** Tests that the staging sweep removes a staged file as soon as its verification no longer needs it, and never earlier. */
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStagingFolder } from '../../src/adapters/storage/staging-folder.ts';
import { sampleImage } from '../../src/emulator/samples.ts';
import { StagingSweep } from '../../src/server/api/staging-sweep.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await createRig();
  await rig.openWorker();
});
afterAll(() => rig.dispose());

it('removes the files of ended and erased verifications at once, and of unknown ones after ten minutes', async () => {
  const object = rig.client.idOf('goes-on');
  const hold = await rig.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', object });
  const { id: live } = await rig.client.enqueue(await rig.request('goes-on'));
  await rig.control.waitFor({ event: 'held', object });
  const { id: ended } = await rig.client.enqueue(await rig.request('ended'));
  await rig.client.wait(ended, { until: 'ended' });
  const { id: erased } = await rig.client.enqueue(await rig.request('erased'));
  await rig.client.erase(erased, { by: 'test', why: 'test' });
  const [young, old] = [`v${'y'.repeat(25)}`, `v${'o'.repeat(25)}`];

  const dir = join(rig.dir, 'inputs', 'staging');
  const staging = openStagingFolder(dir);
  const received = await staging.receive(
    'image',
    { ...rule, maxBytes: 1e6 },
    'resources.image',
    once(sampleImage('x')),
  );
  await received.keep({ id: live, region: 'ap-singapore', tenant: null }, 'p'.repeat(22));
  for (const id of [ended, erased, young, old]) await writeFile(join(dir, `${id}.image.${'p'.repeat(22)}`), 'x');
  const past = (Date.now() - 11 * 60_000) / 1_000;
  await utimes(join(dir, `${old}.image.${'p'.repeat(22)}`), past, past);

  const sweep = new StagingSweep({ client: rig.client, staging, log: pino({ level: 'silent' }) });
  await sweep.sweep();
  const left = async () => (await readdir(dir)).map((name) => name.split('.')[0]).sort();
  expect(await left()).toEqual([live, young].sort());
  await rig.control.release(hold);
  await rig.client.wait(live, { until: 'ended' });
  await sweep.sweep();
  expect(await left()).toEqual([young]);
  await sweep.stop();
});

const rule = { parameter: '', md5Parameter: '', content: 'image', contentType: '' } as const;

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
