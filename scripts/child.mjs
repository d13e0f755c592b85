/**
 * Child processes of the scripts. Each gets a signal that is meant for it exactly once, and its end is always
 * waited for. A child also holds a channel to us: where we are killed outright it sees the channel close, and can
 * end in order.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const SAME_MS = 1_000;

/** On a terminal, Ctrl-C and hang-up go to the whole process group: the child has them already. */
function hasAlready(signal) {
  return signal !== 'SIGTERM' && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}

/** @returns its exit code, 128+n where signal n ended it. */
export function runChild(command, args, stdio = 'inherit', channel = false) {
  return new Promise((resolve, reject) => {
    const streams = Array.isArray(stdio) ? stdio : [stdio, stdio, stdio];
    const child = spawn(command, args, { cwd: process.cwd(), stdio: channel ? [...streams, 'ipc'] : streams });
    let last = Number.NEGATIVE_INFINITY;
    const forward = (signal) => {
      // npm passes signals on too, so that one Ctrl-C can come here twice; a second one ends workers at once.
      const again = Date.now() - last < SAME_MS;
      last = Date.now();
      if (!again && !hasAlready(signal)) child.kill(signal);
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

/** For tools: what they print goes to stderr, and a failure ends this script with their exit code. */
export async function runTool(command, args) {
  const code = await runChild(command, args, ['ignore', 2, 2]);
  if (code === 0) return;
  process.stderr.write(`${[command.split('/').at(-1), ...args].join(' ')} failed (exit code ${code})\n`);
  process.exit(code);
}
