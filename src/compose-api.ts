/** The HTTP API, composed. Apart from `compose.ts`: a process that calls nobody at Tencent loads no SDK of its APIs. */
import type { Logger } from 'pino';
import { buildApi, startApi } from './api/server.ts';
import { StagingSweep } from './api/staging-sweep.ts';
import { openAudit } from './audit.ts';
import { ApiKeys } from './client/api-keys.ts';
import type { OpenSequences } from './compose.ts';
import { once, openSink, type Running } from './composing.ts';
import type { Config } from './config.ts';
import { openClient } from './open-client.ts';
import { openStaging } from './storage/staging.ts';

export async function openApi(config: Config, log: Logger): Promise<Running & { readonly url: string }> {
  const { redis, prefix, mode, api } = config;
  const ends: (() => Promise<unknown>)[] = [];
  const end = async () => {
    for (const each of ends.reverse()) await each();
  };
  try {
    const audit = await openAudit(config.audit);
    ends.push(() => audit.close());
    const client = openClient({ ...config, tenant: undefined }); // each key brings its own
    ends.push(() => client.close());
    const keys = new ApiKeys(redis, prefix);
    ends.push(() => keys.close());
    const { sink, close } = openSink(config);
    ends.push(close);
    const staging = api.stagingDir === undefined ? null : openStaging(api.stagingDir);
    if (staging !== null) {
      const sweep = new StagingSweep({ client, staging, log });
      sweep.start();
      ends.push(() => sweep.stop());
    }
    let opened: OpenSequences | undefined;
    const sequences =
      config.credentials === null
        ? null
        : async () => {
            const { openSequences } = await import('./compose.ts'); // with the SDK: only where it is asked for
            opened ??= openSequences(config, log);
            return opened.sequences;
          };
    ends.push(async () => opened?.close());
    const app = await buildApi({
      client,
      keys,
      audit,
      sink,
      staging,
      sequences,
      mode,
      demands: config.demands,
      limits: config.limits,
      log,
    });
    const server = await startApi(app, api, keys, mode).catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
    const { url } = server;
    log.info({ event: 'ready', mode, address: url }, `HTTP API ready at ${url}`);
    return {
      url,
      stop: once(async (drainMs: number) => {
        const drained = await server.close(drainMs);
        await end();
        return drained;
      }),
    };
  } catch (error) {
    await end();
    throw error;
  }
}
