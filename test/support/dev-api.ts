/** `bestframe dev` with its HTTP API, and further API processes of the same deployment. */
import { sampleImage } from '../../src/emulator/samples.ts';
import { type RunningCli, startCli } from './cli.ts';

export interface Dev {
  readonly api: string;
  readonly key: string;
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Resolves when its API answers. */
export async function startDev(): Promise<Dev> {
  const running = startCli(['dev', '--json']);
  const [line = ''] = await running.stdoutWith(/^\{.*\}\n/);
  return {
    ...(JSON.parse(line) as Omit<Dev, 'stop'>),
    stop: async () => {
      running.child.kill('SIGTERM');
      await running.result;
    },
  };
}

export interface ApiProcess {
  readonly cli: RunningCli;
  readonly url: string;
}

/** Resolves when the process listens. @throws Error if it ends before that */
export async function startApi({ env }: Dev): Promise<ApiProcess> {
  const cli = startCli(['start', 'api'], { ...env, BESTFRAME_API_PORT: '0', BESTFRAME_LOG: 'json' });
  const url = new Promise<string>((resolve) => {
    cli.onErrorLine((line) => {
      const [, found] = /"address":"([^"]+)"/.exec(line) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const endedEarly = cli.result.then(({ code, stderr }) => {
    throw new Error(`the API ended with ${code} before it listened:\n${stderr}`);
  });
  const listening = await Promise.race([url, endedEarly]);
  endedEarly.catch(() => undefined); // from now on, its end is in `cli.result`
  return { cli, url: listening };
}

/** Sends a verification with its two files. */
export function upload({ key: apiKey }: Dev, { url }: ApiProcess, key: string, liveData: Buffer): Promise<Response> {
  const form = new FormData();
  form.set('verification', JSON.stringify({ key, region: 'ap-singapore', upload: 'own-bucket' }));
  form.set('liveData', new Blob([new Uint8Array(liveData)]), 'live.gz');
  form.set('image', new Blob([new Uint8Array(sampleImage(key))]), 'photo.jpg');
  return fetch(`${url}/v1/verifications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: form,
  });
}
