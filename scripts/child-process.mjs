/**
 * Child processes of the scripts.
 *
 * What must hold: a child receives each signal once, and its end is always awaited. A child with an IPC channel can shut
 * down cleanly even if this script is killed with SIGKILL, because the child sees the channel close.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const REPEAT_MS = 1_000;

/**
 * @param options.stdio for spawn, default `inherit`
 * @param options.channel whether to open an IPC channel to the child
 * @returns the child's exit code, or 128+n if signal n ended it.
 */
export function runChild(command, args, { stdio = ['inherit', 'inherit', 'inherit'], channel = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: process.cwd(), stdio: channel ? [...stdio, 'ipc'] : stdio });
    let lastSignalAt = Number.NEGATIVE_INFINITY;
    const forward = (signal) => {
      // npm forwards signals too, so one Ctrl-C can arrive twice. A second signal would end workers at once.
      const isRepeat = Date.now() - lastSignalAt < REPEAT_MS;
      lastSignalAt = Date.now();
      if (!isRepeat && !reachesChildByItself(signal)) child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, forward);
    const done = (settle) => {
      for (const signal of SIGNALS) process.off(signal, forward);
      settle();
    };
    child.on('error', (error) => done(() => reject(error)));
    child.on('close', (code, signal) => done(() => resolve(code ?? 128 + constants.signals[signal])));
  });
}

/** On a terminal, Ctrl-C and hang-up go to the whole process group, so the child has received them already. */
function reachesChildByItself(signal) {
  return signal !== 'SIGTERM' && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}

/** Runs a tool with its output on stderr. If the tool fails, this script exits with the tool's exit code. */
export async function runTool(command, args) {
  const code = await runChild(command, args, { stdio: ['ignore', 2, 2] });
  if (code === 0) return;
  process.stderr.write(`${[command.split('/').at(-1), ...args].join(' ')} failed with exit code ${code}\n`);
  process.exit(code);
}
