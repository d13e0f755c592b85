/**
 * Programs of the benchmarks as processes of their own: what is measured shares no event loop with what measures. Each says one
 * thing over its channel when it is ready, answers what it is asked one at a time, and ends when the channel closes.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Program<Ready, Asked, Answer> {
  readonly pid: number;
  readonly ready: Ready;
  ask(question: Asked): Promise<Answer>;
  stop(): Promise<void>;
}

/** @throws Error where it ends before it is ready. */
export async function startProgram<Ready, Asked = never, Answer = never>(
  name: 'by-hand' | 'bare-queue',
  env: Readonly<Record<string, string>>,
): Promise<Program<Ready, Asked, Answer>> {
  const child = fork(fileURLToPath(new URL(`./${name}.js`, import.meta.url)), {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const said = async (): Promise<unknown> => {
    const early = exited.then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)));
    const [message] = await Promise.race([once(child, 'message'), early]);
    return message;
  };
  const ready = (await said()) as Ready;
  return {
    pid: child.pid ?? 0,
    ready,
    ask: (question) => {
      const answer = said();
      child.send(question as object);
      return answer as Promise<Answer>;
    },
    stop: async () => {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
