/** graphile-worker: four tasks, each of which adds the job of the next one. So PostgreSQL knows which step comes next. */
import { CONCURRENCY, Countdown, load, serve } from './load.mjs';

const { Logger, makeWorkerUtils, run } = await load('graphile-worker');
const connectionString = process.env.POSTGRES_URL;
const logger = new Logger(() => () => undefined);
const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();

const ended = new Countdown();
const then = (next) => async (payload, helpers) => {
  await helpers.addJob(next, payload);
};
await run({
  connectionString,
  logger,
  concurrency: CONCURRENCY,
  noHandleSignals: true,
  taskList: { upload: then('md5'), md5: then('detect'), detect: then('download'), download: async () => ended.count() },
});

const BULK = 500;
serve(async (count) => {
  const all = ended.from(count);
  for (let added = 0; added < count; added += BULK) {
    const bulk = Array.from({ length: Math.min(BULK, count - added) }, (_, index) => added + index);
    await utils.addJobs(bulk.map((index) => ({ identifier: 'upload', payload: { key: `verification-${index}` } })));
  }
  await all;
});
