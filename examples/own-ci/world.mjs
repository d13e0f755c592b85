/**
 * Starts everything that your backend needs: Redis, the emulator of FaceID and COS, workers and the HTTP API. You need no account
 * and no keys, and nothing connects to Tencent.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The command that the package `bestframe` installs. npm and npx find it, because they put node_modules/.bin on PATH. */
const COMMAND = 'bestframe';

export async function startWorld() {
  const samples = mkdtempSync(join(tmpdir(), 'samples-'));
  execFileSync(COMMAND, ['samples', samples]);
  const dev = spawn(COMMAND, ['dev', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(dev, 'close');
  // `dev` prints one line of JSON once everything is ready.
  const started = once(createInterface({ input: dev.stdout }), 'line');
  const failed = ended.then(([code]) => Promise.reject(new Error(`bestframe dev ended with exit code ${code}`)));
  const [line] = await Promise.race([started, failed]);
  failed.catch(() => undefined); // from here on, the end of the process is expected
  const { api, key } = JSON.parse(line);
  return {
    url: String(api),
    key: String(key),
    /** @param {string} card a test card, see docs/emulator.md */
    sample: (card) => ({ recording: join(samples, `${card}.gz`), photo: join(samples, `${card}.jpg`) }),
    /** Ends all processes that were started, and waits until they are gone. */
    async stop() {
      dev.kill('SIGTERM');
      await ended;
      rmSync(samples, { recursive: true });
    },
  };
}
