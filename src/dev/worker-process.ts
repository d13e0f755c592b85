/**
 * Starts workers as child processes. Each worker reports over its IPC channel that it is ready. It ends when the channel closes,
 * so no worker outlives a killed parent.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type WorkerRole = 'verify' | 'erase' | 'notify' | 'all' | 'api';

export interface WorkerProcess {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM, then SIGKILL after `deadlineMs`. Idempotent. @returns the exit code. */
  stop(deadlineMs: number): Promise<number | null>;
}

export interface WorkerOptions {
  /** Folder of the built entry points, `dist/workers/`. */
  readonly dir?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onLog?: (line: string) => void;
  readonly nodeArgs?: readonly string[];
}

const BUILT_WORKERS_DIR = fileURLToPath(new URL('../../workers/', import.meta.url));

/** Resolves when the worker accepts jobs. @throws Error with its last output if it ends before that. */
export async function startWorker(role: WorkerRole, options: WorkerOptions): Promise<WorkerProcess> {
  const file = `${options.dir ?? BUILT_WORKERS_DIR}${role}.js`;
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), file], {
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const lastLines: string[] = [];
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lastLines.push(line);
      if (lastLines.length > 20) lastLines.shift();
      options.onLog?.(line);
    });
  }
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message) => {
      if (message === 'ready') resolve();
    });
  });
  const endedEarly = exited.then((code) => {
    throw new Error(`the ${role} worker exited with code ${code} before it was ready:\n${lastLines.join('\n')}`);
  });
  await Promise.race([ready, endedEarly]);
  endedEarly.catch(() => undefined); // The worker has started: from now on, its end is reported by `exited`.
  return handleOf(child, exited);
}

function handleOf(child: ChildProcess, exited: Promise<number | null>): WorkerProcess {
  return {
    pid: child.pid ?? 0,
    exited,
    kill: (signal) => void child.kill(signal),
    stop: async (deadlineMs) => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}
