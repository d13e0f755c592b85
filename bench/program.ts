/**
 * Runs benchmark programs as separate processes, so that the measured code does not share an event loop with the
 * measuring code. A program sends one message when it is ready, answers one request at a time, and ends when its IPC
 * channel closes.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

type ProgramName =
  | 'bare-loop'
  | 'bare-queue'
  | 'bare-worker'
  | 'direct-sdk'
  | 'durable-queue'
  | 'naive'
  | 'noop-worker'
  | 'put';

export interface Program<Ready, Request, Answer> {
  readonly pid: number;
  /** The message that the program sent when it was ready. */
  readonly ready: Ready;
  request(message: Request): Promise<Answer>;
  stop(): Promise<void>;
}

/** @throws Error if the program ends before it is ready */
export function startProgram<Ready, Request = never, Answer = never>(
  name: ProgramName,
  env: Readonly<Record<string, string>>,
): Promise<Program<Ready, Request, Answer>> {
  return startProgramFile(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), env);
}

/** @throws Error if the program ends before it is ready */
export async function startProgramFile<Ready, Request = never, Answer = never>(
  path: string,
  env: Readonly<Record<string, string>>,
): Promise<Program<Ready, Request, Answer>> {
  const child = fork(path, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const nextMessage = async (): Promise<unknown> => {
    const exitedEarly = exited.then(([code]) =>
      Promise.reject(new Error(`${basename(path)} exited with code ${code}`)),
    );
    const [message] = await Promise.race([once(child, 'message'), exitedEarly]);
    return message;
  };
  const ready = (await nextMessage()) as Ready;
  return {
    pid: child.pid ?? 0,
    ready,
    request: (message) => {
      const answer = nextMessage();
      child.send(message as object);
      return answer as Promise<Answer>;
    },
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
