/**
 * A server that ends with the process that started it, whatever ends that: a SIGKILL too. Ctrl-C does not reach it, so that
 * workers still have it while they drain.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

export interface OnLeash {
  /** Resolves when it has ended, whatever the reason. */
  readonly exited: Promise<void>;
  /** What it said last. */
  readonly lastLines: readonly string[];
  /** SIGTERM; SIGKILL follows for one that is stopped or stuck. Idempotent. */
  stop(): Promise<void>;
}

/**
 * fd 3 is a pipe whose other end only our process holds: `read` returns when that end is closed, or we are gone. The watcher is
 * a subshell beside `wait`, so that the wrapper also ends when the server ends by itself. `wait` returns early when a trap ran,
 * hence the loop.
 */
const WRAPPER = `
"$@" 3<&- & child=$!
trap 'kill -TERM $child' TERM INT HUP
(
  trap - TERM INT HUP
  read -r nothing <&3
  exec >/dev/null 2>&1
  kill -TERM $child
  sleep 5
  kill -KILL $child
) & watcher=$!
exec 3<&-
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
kill $watcher 2>/dev/null
exit $code
`;

export function startOnLeash(
  command: string,
  args: readonly string[],
  options: { readonly dir: string; readonly env: Readonly<Record<string, string>> },
): OnLeash {
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'leash', command, ...args], {
    cwd: options.dir,
    detached: true, // a process group of its own: Ctrl-C in the terminal is ours to handle, not its
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [, out, err, leash] = child.stdio as unknown as [null, Socket, Socket, Socket];
  const lastLines: string[] = [];
  for (const stream of [out, err]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lastLines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      lastLines.splice(0, lastLines.length - 20);
    });
    stream.unref();
  }
  // Nothing here keeps our process alive: when it has nothing else to do it ends, and the server with it.
  leash.on('error', () => undefined);
  leash.unref();
  child.unref();
  // `close`, not `exit`: the last words are in by then.
  const exited = once(child, 'close').then(
    () => undefined,
    () => undefined, // it could not be started: as good as ended
  );
  return {
    exited,
    lastLines,
    async stop() {
      leash.destroy();
      const held = setInterval(() => undefined, 1_000); // the child holds no process open, and must be waited for
      await exited;
      clearInterval(held);
    },
  };
}
