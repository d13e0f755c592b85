/**
 * Kills an erase worker with `kill -9` while it copies evidence: another one finishes the copies and then the deletions. Then reads the
 * evidence with the command line, before and after the record is erased.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startWorker, type WorkerProcess } from '../../src/dev/worker-process.ts';
import { cli } from '../support/cli.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { DIST } from '../support/world.ts';

const REGION = 'ap-singapore';
const OWN = 'faces-1250000000';
const LOCKED = 'evidence-1250000000';
const MANY = 4;

let rig: Rig;
const workers: WorkerProcess[] = [];

beforeAll(async () => {
  rig = await createRig({
    env: {
      BESTFRAME_BUCKETS: `${REGION}=${OWN}`,
      BESTFRAME_EVIDENCE_BUCKETS: `${REGION}=${LOCKED}`,
      BESTFRAME_EVIDENCE_DAYS: '30',
      BESTFRAME_KEY_RING: `k1:${Buffer.alloc(32, 3).toString('base64')}`,
      BESTFRAME_QPS_DETECT: '50',
    },
    emulator: { qps: {} },
    buckets: [
      { name: OWN, region: REGION },
      { name: LOCKED, region: REGION, objectLock: { days: null } },
    ],
  });
  await rig.openWorker();
});
afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop(10_000)));
  await rig.dispose();
});

async function openErase(): Promise<WorkerProcess> {
  const env = { ...rig.env, BESTFRAME_LOG: 'json', NODE_EXTRA_CA_CERTS: rig.emulator.caFile };
  const worker = await startWorker('erase', { dir: `${DIST}/workers/`, env });
  workers.push(worker);
  return worker;
}

const objects = async (bucket: string) => (await rig.control.objects()).filter((each) => each.bucket === bucket);

it('if the worker is killed while it copies, another one finishes: each object is there once, and then the uploads are deleted', async () => {
  const ids: string[] = [];
  for (let each = 0; each < MANY; each += 1) {
    const { id } = await rig.client.enqueue(await rig.request(`killed-${each}`, { card: 'match' }));
    await rig.client.wait(id, { until: 'ended' });
    ids.push(id);
  }
  const hold = { kind: 'hold', service: 'cos', action: 'PutObject', object: 'image', times: null } as const;
  await rig.control.fault(hold);
  const victim = await openErase();
  await rig.control.waitFor({ event: 'held', object: LOCKED }, MANY);
  victim.kill('SIGKILL');
  await victim.exited;
  await rig.control.clearFaults();
  expect(await objects(OWN)).toHaveLength(2 * MANY);
  expect((await objects(LOCKED)).every(({ key }) => key.endsWith('/liveData'))).toBe(true);

  await openErase();
  for (const id of ids) {
    await expect.poll(async () => (await rig.client.get(id))?.evidence?.state, { timeout: 45_000 }).toBe('copied');
  }
  await expect.poll(() => objects(OWN), { timeout: 20_000 }).toEqual([]);
  expect(await objects(LOCKED)).toHaveLength(4 * MANY);
  for (const id of ids) {
    const puts = await rig.control.calls({
      action: 'PutObject',
      object: `${LOCKED}/bestframe/${id}/liveData`,
      event: 'call',
    });
    expect(puts).toHaveLength(1);
  }
}, 180_000);

it('`bestframe evidence` opens the answer, also when the record is erased, and writes each access to the audit log', async () => {
  const id = rig.client.idOf('killed-0');
  const run = (...args: string[]) => cli(['evidence', ...args], rig.env);
  const shown = await run(id, '--by', 'auditor', '--why', 'case 7');
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^in ap-singapore\n/) });
  expect(shown.stdout).toMatch(/liveData: locked until \S+Z/);
  expect(shown.stdout).toMatch(/"decision": "match"/);
  expect((await cli(['get', id], rig.env)).stdout).toMatch(
    /evidence\s+copied: liveData, image, bestFrame, answer; locked/,
  );

  const erased = await cli(['erase', id, '--by', 'officer', '--why', 'asked'], rig.env);
  expect(erased.stdout).toMatch(/evidence: locked until \S+Z, then deleted/);
  expect(erased.stdout).toMatch(/cannot be confirmed: the evidence \(.*\): it is locked until/);
  const json = JSON.parse((await run(id, '--json')).stdout);
  expect(json).toMatchObject({ region: REGION, answer: { id, key: 'killed-0', decision: 'match' } });
  expect(json.objects).toHaveLength(4);
  expect(await run('v0000000000000000000000000')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('there is no evidence'),
  });
  const read = (await rig.audited()).filter(({ act }) => act === 'evidence.read');
  expect(read[0]).toMatchObject({ on: id, actor: 'auditor', purpose: 'case 7' });
  expect(read).toHaveLength(3);
}, 120_000);
