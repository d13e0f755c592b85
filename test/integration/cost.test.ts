/**
 * Measures what a verification costs, in numbers that do not depend on the machine's speed: scripts, commands and memory of Redis,
 * AbortSignals, and round trips of a request. A change that makes one of them larger or smaller changes its number here. The test
 * has its own Redis, so that nothing else is counted.
 *
 * On a busy machine, workers run additional scripts: a worker that misses its slot requests another one, and a slow attempt
 * renews its lease. The test therefore counts scripts by name and by verification. The trace must explain each additional script,
 * and at least one verification must run none.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProvidedRedis, startPrivateRedis } from '../../src/dev/local-redis.ts';
import { findRedis } from '../../src/dev/redis-binary.ts';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { clockErrorMs } from '../support/clock-error.ts';
import { countTrips } from '../support/counted-redis.ts';
import { formOf, openHttp } from '../support/http.ts';
import { requestsIn } from '../support/inputs.ts';
import { createRig, HOME, type Rig } from '../support/rig.ts';
import { type ScriptRun, ScriptTrace, verificationOf } from '../support/script-trace.ts';
import { countSignals } from '../support/signal-count.ts';

type Upload = 'own-bucket' | 'create-upload-url';

const MANY = 40;
/** The batch is repeated until so many verifications have got every slot in time. An idle machine needs one batch. */
const ENOUGH = 5;
const MAX_BATCHES = 5;
/**
 * Scripts that run on a timer. How often they run varies: lease renewal, the check for stalled jobs, the sweeper's job lookup.
 */
const PERIODIC = new Set(['renew-lease', 'moveStalledJobsToWait', 'getState']);
const dir = join(HOME, `cost-${process.pid}`);
/** Holds the files that records name. Its path has the same length on every machine. */
let files: string;

let provided: ProvidedRedis;
let redis: Redis;
let rig: Rig;
let trace: ScriptTrace;
/**
 * The number of batches so far. Each key contains this number, so no batch finds the frames and decisions of an earlier batch.
 */
let batches = 0;

beforeAll(async () => {
  const binary = await findRedis({ cacheDir: join(HOME, 'cache'), log: () => undefined });
  provided = await startPrivateRedis({ binary, dir, appendonly: false });
  redis = new Redis(provided.url);
  trace = await ScriptTrace.start(provided.url);
  files = await mkdtemp('/tmp/bestframe-cost-');
  rig = await createRig({
    env: {
      BESTFRAME_REDIS_URL: provided.url,
      BESTFRAME_PREFIX: '{bestframe}',
      BESTFRAME_FRAMES_DIR: join(files, 'frames'),
      BESTFRAME_FILE_ROOTS: files,
      BESTFRAME_QPS_DETECT: '100000',
      BESTFRAME_QPS_UPLOAD_URL: '100000',
      BESTFRAME_SLOTS: '1', // one verification at a time, so a script without an id belongs to the current one
    },
    emulator: { qps: {} },
  });
});
afterAll(async () => {
  await rig.dispose();
  trace.stop();
  redis.disconnect();
  await provided.stop();
  await rm(dir, { recursive: true, force: true });
  await rm(files, { recursive: true, force: true });
});

const BEFORE_UPLOAD = ['claim-verification', 'addPrioritizedJob', 'begin-attempt'];
const AFTER_UPLOAD = ['commit-stage', 'declare-intent', 'record-outcome', 'settle', 'moveToFinished'];

// One story: the first test runs a batch, and the others read what it took.
describe('a verification', { shuffle: false }, () => {
  describe.each([
    {
      upload: 'own-bucket',
      scripts: [...BEFORE_UPLOAD, ...AFTER_UPLOAD],
      commands: 141,
      queuedBytes: 864,
      finishedBytes: 2024,
      signals: 5,
    },
    {
      upload: 'create-upload-url',
      scripts: [...BEFORE_UPLOAD, 'reserve-slots', ...AFTER_UPLOAD],
      commands: 151,
      queuedBytes: 864,
      finishedBytes: 2280,
      signals: 7,
    },
  ] as const)('by $upload', ({ upload, scripts, commands, queuedBytes, finishedBytes, signals }) => {
    let batch: Batch;
    /** Of the verifications that missed no slot. A call that is asked for again makes more signals, and a busy machine misses slots. */
    const made: number[] = [];

    it(`runs ${scripts.length} scripts and ${commands} commands per verification`, { timeout: 300_000 }, async () => {
      const counts: number[] = [];
      let undelayed = 0;
      for (let tries = 0; tries < MAX_BATCHES && undelayed < ENOUGH; tries += 1) {
        batch = await runBatch(upload, MANY);
        // The first job of a worker is fetched by another script, and after the last one, there is no job to fetch.
        for (const [id, { runs, plain }] of [...batch.spent].slice(1, -1)) {
          if (runs.filter(({ name }) => name === 'begin-attempt').length > 1) continue; // a repeated attempt is not the happy path
          const needed = withoutMissedSlots(runs);
          expect(needed.map(({ name }) => name)).toEqual(scripts);
          if (needed.length < runs.length) continue;
          undelayed += 1;
          made.push(batch.signals.get(id) ?? Number.NaN);
          counts.push(runs.reduce((sum, run) => sum + 1 + run.commands, plain));
        }
      }
      console.info(`${upload}: ${scripts.length} scripts, ${median(counts)} commands; ${undelayed} missed no slot`);
      expect(undelayed).toBeGreaterThan(0);
      expect(median(counts)).toBe(commands);
    });

    it(`takes ${queuedBytes} bytes of Redis while queued and ${finishedBytes} when finished`, () => {
      const found = { queuedBytes: median(batch.queued), finishedBytes: median(batch.finished) };
      console.info(`${upload}: ${found.queuedBytes} bytes queued, ${found.finishedBytes} finished`);
      expect(found).toEqual({ queuedBytes, finishedBytes });
    });

    it(`makes ${signals} AbortSignals per verification`, () => {
      console.info(`${upload}: ${Math.min(...made)} AbortSignals`);
      expect(Math.min(...made)).toBe(signals); // periodic work may add some to single verifications
    });
  });
});

describe('a request to the HTTP API', { shuffle: false }, () => {
  const uploads = { liveData: sampleLiveData({ card: 'match' }), image: sampleImage() };

  it.each([
    { name: 'POST', trips: 3, commands: 3 },
    { name: 'POST with files', trips: 3, commands: 3 },
    { name: 'GET', trips: 2, commands: 5 },
  ])('makes $trips round trips with $commands commands for $name', async ({ name, ...cost }) => {
    await redis.set(rig.names.mode, 'test'); // the first worker of a deployment sets it
    const counted = await countTrips(provided.url);
    const http = await openHttp(rig, {
      BESTFRAME_REDIS_URL: counted.url,
      BESTFRAME_FILE_ROOTS: join(rig.dir, 'inputs'),
    });
    try {
      const trips: number[] = [];
      const commands: number[] = [];
      for (let index = 0; index < 10; index += 1) {
        const { resources, ...request } = await rig.request(`${name}-${index}`.replaceAll(' ', '-'));
        const send = async () => {
          if (name === 'POST') return http.call('POST', '/v1/verifications', { json: { ...request, resources } });
          if (name === 'GET')
            return http.call('GET', `/v1/verifications/${rig.client.forTenant('acme').idOf('POST-0')}`);
          return http.call('POST', '/v1/verifications', { body: formOf(request, uploads) });
        };
        const before = { trips: counted.trips, commands: counted.commands };
        const { status } = await send();
        trips.push(counted.trips - before.trips);
        commands.push(counted.commands - before.commands);
        expect(status).toBe(name === 'GET' ? 200 : 202);
      }
      console.info(`${name}: ${trips} round trips, ${commands} commands`);
      // The first request connects. A periodic read may be counted with one of the others.
      expect({ trips: median(trips), commands: median(commands) }).toEqual(cost);
    } finally {
      await http.close();
      await counted.close();
    }
  });
});

interface Spent {
  /** Its scripts, in the order in which Redis ran them. */
  readonly runs: ScriptRun[];
  /** Its commands outside scripts. */
  plain: number;
}

interface Batch {
  readonly spent: ReadonlyMap<string, Spent>;
  /** Bytes in Redis of each verification. */
  readonly queued: readonly number[];
  readonly finished: readonly number[];
  /** By id: AbortSignals that were made from its start to the start of the next verification. */
  readonly signals: ReadonlyMap<string, number>;
}

/** Runs verifications, one after the other. */
async function runBatch(upload: Upload, many: number): Promise<Batch> {
  batches += 1;
  await redis.flushall();
  const requests = await Promise.all(
    Array.from({ length: many }, (_, index) =>
      requestsIn(files)(`batch-${batches}-${1_000 + index}`, { card: 'match' }, { upload }),
    ),
  );
  await trace.clear();
  const enqueued = await rig.client.enqueueMany(requests);
  const ids = enqueued.map((item) => {
    if (item.status === 'refused') throw item.error;
    return item.id;
  });
  const queued = await Promise.all(ids.map(bytesOf));
  const counted = countSignals();
  const starts: { id: string; made: number }[] = [];
  rig.onLine = ({ id, stage, event }) => {
    if (stage === 'upload' && event === 'start') starts.push({ id: id ?? '', made: counted.made });
  };
  const worker = await rig.openWorker();
  await rig.client.wait(ids.at(-1) ?? '', { until: 'ended', timeoutMs: 240_000 });
  await worker.stop(5_000);
  counted.stop();
  for (const id of ids) expect(await rig.client.get(id)).toMatchObject({ state: 'completed', frame: 'stored' });
  const finished = await Promise.all(ids.map(bytesOf));
  return {
    spent: await spentBy(ids),
    queued,
    finished,
    signals: new Map(starts.slice(0, -1).map(({ id, made }, index) => [id, (starts[index + 1]?.made ?? 0) - made])),
  };
}

async function spentBy(ids: readonly string[]): Promise<Map<string, Spent>> {
  const spent = new Map<string, Spent>(ids.map((id) => [id, { runs: [], plain: 0 }]));
  let current = '';
  let lookups = 0;
  for (const run of await trace.read()) {
    if (PERIODIC.has(run.name)) continue;
    if (run.name === 'moveToActive') {
      lookups += 1;
      continue;
    }
    current = verificationOf(run) ?? current;
    spent.get(current)?.runs.push(run);
  }
  // The script that ends a job returns the next job, so the worker looks for a job only at the start and after the last job.
  expect(lookups).toBeLessThanOrEqual(2);
  for (const command of await trace.readPlain()) {
    if (['memory', 'hgetall', 'lrange'].includes(command.command)) continue; // the test itself reads
    const own = spent.get(verificationOf(command) ?? '');
    if (own !== undefined) own.plain += 1;
  }
  return spent;
}

/** Removes repeated slot requests. A worker repeats a request when it must assume that it has missed its slot. */
function withoutMissedSlots(runs: readonly ScriptRun[]): ScriptRun[] {
  const given = { 'declare-intent': [] as number[], 'reserve-slots': [] as number[] };
  return runs.filter((run) => {
    if (run.name !== 'declare-intent' && run.name !== 'reserve-slots') return true;
    const slots = given[run.name];
    const missed = slots.shift();
    slots.push(...slotsOf(run));
    slots.sort((a, b) => a - b);
    return missed === undefined || run.at < missed - clockErrorMs(runs);
  });
}

/** @returns the start times of the slots that a script run assigned, by the clock of Redis. */
function slotsOf({ name, writes, args }: ScriptRun): number[] {
  if (name === 'declare-intent') {
    const open = writes.find(({ command, args: [field] }) => command === 'hset' && field === 'open');
    return open === undefined ? [] : [(JSON.parse(open.args[1] ?? '') as { at: number }).at];
  }
  const laneMs = Number(args[1]);
  return writes.flatMap(({ args: fields }) =>
    fields.flatMap((field, index) => (field.startsWith('free:') ? [Number(fields[index + 1]) - laneMs] : [])),
  );
}

/** The memory of a verification's own keys: its record, its history and its job. Indexes are shared with others. */
async function bytesOf(id: string): Promise<number> {
  const { names } = rig;
  const keys = [names.journal(id), names.history(id), names.job('ap-singapore', id).job];
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}

/** Few verifications differ from the others: the length of some values varies, or a script drops what an earlier one left. */
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
