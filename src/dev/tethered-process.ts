/**
 * Starts a server that ends together with this process, even if this process is killed with SIGKILL. Ctrl-C does not reach the
 * server, so that workers can still use the server while they drain.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

export interface TetheredProcess {
  /** Resolves when the server has ended for any reason. */
  readonly exited: Promise<void>;
  /** The last lines of its output. */
  readonly lastLines: readonly string[];
  /** Sends SIGTERM, then SIGKILL if the server is stopped or stuck. Idempotent. */
  stop(): Promise<void>;
}

/**
 * A shell script that runs the server. fd 3 is a pipe whose other end is open only in this process, so `read` returns when this
 * process closes the pipe or dies. `read` runs in a subshell, so that the script also ends when the server ends by itself. The
 * loop is needed because `wait` returns early after a trap.
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

export function startTethered(
  command: string,
  args: readonly string[],
  options: { readonly dir: string; readonly env: Readonly<Record<string, string>> },
): TetheredProcess {
  const child = spawn('/bin/sh', ['-c', WRAPPER, 'tethered', command, ...args], {
    cwd: options.dir,
    detached: true, // The server gets its own process group, so Ctrl-C in the terminal does not reach it.
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const [, out, err, tether] = child.stdio as unknown as [null, Socket, Socket, Socket];
  const lastLines: string[] = [];
  for (const stream of [out, err]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      lastLines.push(...text.split('\n').filter((line) => line.trim() !== ''));
      lastLines.splice(0, lastLines.length - 20);
    });
    stream.unref();
  }
  // The server must not keep this process alive: this process ends when it has nothing else to do, and the server then ends too.
  tether.on('error', () => undefined);
  tether.unref();
  child.unref();
  // `close`, unlike `exit`, comes after all output has arrived.
  const exited = once(child, 'close').then(
    () => undefined,
    () => undefined, // A server that could not be started counts as ended.
  );
  return {
    exited,
    lastLines,
    async stop() {
      tether.destroy();
      const keepAlive = setInterval(() => undefined, 1_000); // The unreferenced child does not keep this process alive.
      await exited;
      clearInterval(keepAlive);
    },
  };
}
