/** `bestframe dev` with its HTTP API, and further API processes of the same deployment. */
import { sampleImage } from '../../src/emulator/samples.ts';
import { type RunningCli, startCli } from './cli.ts';

export interface Dev {
  readonly api: string;
  readonly key: string;
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

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

/** Resolves when it listens. */
export async function startApi({ env }: Dev): Promise<ApiProcess> {
  const cli = startCli(['start', 'api'], { ...env, BESTFRAME_API_PORT: '0', BESTFRAME_LOG: 'json' });
  const url = await new Promise<string>((resolve) => {
    let log = '';
    cli.child.stderr?.on('data', (text: string) => {
      log += text;
      const [, found] = /"address":"([^"]+)"/.exec(log) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  return { cli, url };
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
