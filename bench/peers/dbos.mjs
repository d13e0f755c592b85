/** DBOS: a workflow of four steps. It is started directly, and not through a queue, which DBOS polls. */
import { load, repeat, serve } from './load.mjs';

const { DBOS } = await load('@dbos-inc/dbos-sdk');
const step = (name) => DBOS.runStep(async () => ({ name, done: true }), { name });
const verify = DBOS.registerWorkflow(
  async (key) => {
    for (const name of ['upload', 'md5', 'detect', 'download']) await step(name);
    return key;
  },
  { name: 'verify' },
);
DBOS.setConfig({ name: 'bench', systemDatabaseUrl: process.env.POSTGRES_URL, logLevel: 'error' });
await DBOS.launch();

let started = 0;
serve((count) =>
  repeat(count, async () => {
    started += 1;
    const handle = await DBOS.startWorkflow(verify)(`verification-${started}`);
    await handle.getResult();
  }),
);
