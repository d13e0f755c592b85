/**
 * Tests that payloads are streamed: with 50 concurrent verifications of 8 MB each, the worker's memory hardly grows, and neither does
 * that of the HTTP API with ten uploads of 50 MB. The tests need Linux, where VmHWM is the peak memory.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sampleImage, sampleLiveData, sampleVideo } from '../../src/emulator/samples.ts';
import { startApi, startDev, upload } from '../support/dev-api.ts';
import { createWorld, type TestWorld } from '../support/world.ts';

const MANY = 50;
const PAYLOAD_BYTES = 8_000_000;
/** Fewer than the calls that the gate admits at a time. */
const CARRIED = 30;
const CARRIED_BYTES = 6_000_000;
const MOST_GROWTH_MB = 150;

let world: TestWorld;

beforeAll(async () => {
  world = await createWorld({
    workers: 1,
    settings: { BESTFRAME_SLOTS: String(MANY), BESTFRAME_QPS_DETECT: '100', BESTFRAME_QPS_UPLOAD_URL: '200' },
  });
});
afterAll(() => world.dispose());

it.runIf(process.platform === 'linux')(
  '50 concurrent verifications with 8 MB payloads stay within 150 MB of idle',
  async () => {
    const pid = world.workers[0]?.pid ?? 0;
    // One verification warms the worker up first, so that `idle` already includes its code, TLS contexts and buffers.
    const first = await world.client.enqueue(await world.request('warm', { card: 'match', padBytes: PAYLOAD_BYTES }));
    await world.client.wait(first.id, { until: 'ended' });
    const idle = await memoryMb(pid, 'VmRSS');
    await writeFile(`/proc/${pid}/clear_refs`, '5'); // resets the peak

    const hold = await world.control.fault({ kind: 'hold', action: 'DetectReflectLivenessAndCompare', times: null });
    const requests = await Promise.all(
      Array.from({ length: MANY }, (_, index) =>
        world.request(
          `big-${index}`,
          { card: 'match', padBytes: PAYLOAD_BYTES },
          { upload: index % 2 === 0 ? 'own-bucket' : 'create-upload-url' },
        ),
      ),
    );
    const results = await world.client.enqueueMany(requests);
    await world.control.waitFor({ event: 'held' }, MANY, 120_000); // all 50 have a slot, are uploaded and wait in detect
    await world.control.release(hold);
    for (const result of results) {
      if (result.status === 'refused') throw result.error;
      expect(await world.client.wait(result.id, { until: 'ended', timeoutMs: 120_000 })).toMatchObject({
        state: 'completed',
        frame: 'stored',
      });
    }
    const peak = await memoryMb(pid, 'VmHWM');
    console.info(
      `worker: idle ${Math.round(idle)} MB, peak ${Math.round(peak)} MB with ${MANY} × ${PAYLOAD_BYTES / 1e6} MB`,
    );
    expect(peak - idle).toBeLessThanOrEqual(MOST_GROWTH_MB);
  },
);

it.runIf(process.platform === 'linux')(
  '30 concurrent calls that carry files of 6 MB stay within 150 MB of idle',
  async () => {
    const pid = world.workers[0]?.pid ?? 0;
    const video = join(world.dir, 'inputs', 'carried.mp4');
    const image = join(world.dir, 'inputs', 'carried.jpg');
    await writeFile(video, sampleVideo({ card: 'match', padBytes: CARRIED_BYTES }));
    await writeFile(image, sampleImage());
    const request = (key: string) =>
      ({
        key,
        action: 'CompareFaceLiveness',
        region: 'ap-singapore',
        lane: 'batch',
        liveness: { type: 'SILENT' },
        resources: { video: { from: 'file', path: video }, image: { from: 'file', path: image } },
      }) as const;
    const first = await world.client.enqueue(request('carried-warm'));
    expect(await world.client.wait(first.id, { until: 'ended' })).toMatchObject({ decision: 'match' });
    const idle = await memoryMb(pid, 'VmRSS');
    await writeFile(`/proc/${pid}/clear_refs`, '5');

    const hold = await world.control.fault({ kind: 'hold', action: 'CompareFaceLiveness', times: null });
    await world.client.enqueueMany(Array.from({ length: CARRIED }, (_, index) => request(`carried-${index}`)));
    await world.control.waitFor({ event: 'held', action: 'CompareFaceLiveness' }, CARRIED, 120_000);
    const peak = await memoryMb(pid, 'VmHWM');
    await world.control.release(hold);
    for (let index = 0; index < CARRIED; index += 1)
      expect(
        await world.client.wait(world.client.idOf(`carried-${index}`), { until: 'ended', timeoutMs: 120_000 }),
      ).toMatchObject({ state: 'completed', frame: 'stored', paidCalls: 1 });
    console.info(`worker: idle ${Math.round(idle)} MB, peak ${Math.round(peak)} MB with ${CARRIED} calls of 6 MB`);
    expect(peak - idle).toBeLessThanOrEqual(MOST_GROWTH_MB);
  },
);

it.runIf(process.platform === 'linux')(
  'the HTTP API streams ten uploads of 50 MB at once, accepted or refused, within 150 MB of idle',
  async () => {
    const dev = await startDev();
    const api = await startApi(dev);
    try {
      const pid = api.cli.child.pid ?? 0;
      await upload(dev, api, 'warm', sampleLiveData({ card: 'match', padBytes: 5_000_000 }));
      const idle = await memoryMb(pid, 'VmRSS');
      await writeFile(`/proc/${pid}/clear_refs`, '5');
      const large = sampleLiveData({ card: 'match', padBytes: 50_000_000 });
      const wrong = Buffer.concat([Buffer.from('no gzip'), large]);
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => upload(dev, api, `large-${index}`, index % 2 === 0 ? large : wrong)),
      );
      expect(answers.map(({ status }) => status)).toEqual(
        Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 202 : 400)),
      );
      const peak = await memoryMb(pid, 'VmHWM');
      console.info(`HTTP API: idle ${Math.round(idle)} MB, peak ${Math.round(peak)} MB with 10 × 50 MB`);
      expect(peak - idle).toBeLessThanOrEqual(MOST_GROWTH_MB);
    } finally {
      api.cli.child.kill('SIGTERM');
      await api.cli.result;
      await dev.stop();
    }
  },
);

async function memoryMb(pid: number, name: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
}
