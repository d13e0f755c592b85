/** The worker processes of a run. Each has its own proxy to Redis, and the fleet records when each process died. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startWorker, type WorkerProcess, type WorkerRole } from '../../src/dev/worker-process.ts';
import type { Kill } from './evidence.ts';
import { RedisProxy } from './redis-proxy.ts';

export type Act = 'kill' | 'stop' | 'block' | 'report' | 'exit' | 'reject' | 'memory' | 'full';

/** An action at a named point of a worker (see preload.mjs). */
export interface Hook {
  readonly at: string;
  /** Which occurrence of the point triggers the action. Default: the first. */
  readonly nth?: number | 'each';
  readonly act: Act;
  readonly ms?: number;
  /** Restricts the hook to points whose id or script arguments contain this text. */
  readonly id?: string;
}

/** The file that holds all Lua scripts of the product. */
export const LUA_FILE = 'redis/scripts/lua.js';

export interface Change {
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

export interface HookReport {
  readonly chaos: Act;
  readonly at: string;
}

export interface ChaosWorker extends WorkerProcess {
  readonly name: string;
  readonly role: WorkerRole;
  readonly proxy: RedisProxy;
  /** The reports of this worker's hooks so far. */
  readonly reports: HookReport[];
  /** Resolves with the first report of a hook, or with null if the process ends without one. */
  untilReported(): Promise<HookReport | null>;
  readonly alive: boolean;
}

export interface FleetOptions {
  readonly redisPort: number;
  readonly env: Readonly<Record<string, string>>;
  readonly workersDir: string;
  readonly changes: readonly Change[];
  readonly onLog: (line: string) => void;
}

const PRELOAD = fileURLToPath(new URL('./preload.mjs', import.meta.url));
const STOP_MS = 15_000;
const execute = promisify(execFile);

export class Fleet {
  readonly workers: ChaosWorker[] = [];
  /** The first entry is the time before the first worker is ready: on a busy machine, its start takes as long as a whole run. */
  readonly kills: (Kill & { freeAt: number })[] = [{ at: Date.now(), sources: [], freeAt: Number.POSITIVE_INFINITY }];
  readonly #options: FleetOptions;
  #count = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** The live workers that process verifications. */
  get alive(): ChaosWorker[] {
    return this.#alive.filter(({ role }) => role !== 'erase');
  }

  get #alive(): ChaosWorker[] {
    return this.workers.filter((worker) => worker.alive);
  }

  async start(
    hooks: readonly Hook[] = [],
    more: { role?: WorkerRole; nodeArgs?: readonly string[]; env?: Record<string, string> } = {},
  ): Promise<ChaosWorker> {
    const { redisPort, env, workersDir, changes, onLog } = this.#options;
    const { role = 'verify' } = more;
    const name = `w${++this.#count}`;
    const proxy = await RedisProxy.open(redisPort);
    const reports: HookReport[] = [];
    const listeners = new Set<() => void>();
    const chaos = JSON.stringify({ hooks, changes });
    const preload = hooks.length + changes.length === 0 ? [] : ['--import', PRELOAD];
    const started = await startWorker(role, {
      dir: workersDir,
      env: { ...env, ...more.env, BESTFRAME_REDIS_URL: proxy.url, CHAOS: chaos },
      nodeArgs: [...(more.nodeArgs ?? []), ...preload],
      onLog: (line) => {
        onLog(`${name} ${line}`);
        if (!line.startsWith('{"chaos"')) return;
        reports.push(JSON.parse(line) as HookReport);
        for (const listener of listeners) listener();
      },
    });
    let alive = true;
    const ended = started.exited.then(() => {
      alive = false;
      if (role !== 'erase') this.#died(proxy);
    });
    const worker: ChaosWorker = {
      ...started,
      name,
      role,
      proxy,
      reports,
      get alive() {
        return alive;
      },
      untilReported: () =>
        new Promise((resolve) => {
          const look = () => {
            const [first] = reports;
            if (first !== undefined) resolve(first);
          };
          listeners.add(look);
          look();
          void ended.then(() => resolve(reports[0] ?? null));
        }),
    };
    this.workers.push(worker);
    if (role === 'erase') return worker;
    for (const kill of this.kills) if (kill.freeAt === Number.POSITIVE_INFINITY) kill.freeAt = Date.now();
    return worker;
  }

  /** Runs the command line, with the same protections removed as in the workers. @throws Error if the exit code is not 0 */
  async command(...args: string[]): Promise<void> {
    const { env, workersDir, changes, onLog } = this.#options;
    const main = join(workersDir, '..', 'src', 'cli', 'main.js');
    const { BESTFRAME_LOG: _, NODE_EXTRA_CA_CERTS: __, ...settings } = env;
    const { stdout } = await execute(process.execPath, ['--import', PRELOAD, main, ...args], {
      env: { PATH: process.env.PATH, ...settings, CHAOS: JSON.stringify({ changes }) },
    });
    onLog(`cli ${stdout}`);
  }

  async close(): Promise<void> {
    for (const worker of this.workers) worker.proxy.thaw();
    for (const worker of this.#alive) worker.kill('SIGCONT'); // a stopped process handles no other signal
    await Promise.all(this.#alive.map((worker) => worker.stop(STOP_MS)));
    await Promise.all(this.workers.map(({ proxy }) => proxy.close()));
  }

  #died(proxy: RedisProxy): void {
    const at = Date.now();
    const others = this.alive.length > 0;
    this.kills.push({ at, sources: [...proxy.sources], freeAt: others ? at : Number.POSITIVE_INFINITY });
  }
}
