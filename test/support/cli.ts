/** Runs the built command line as a child process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DIST } from './world.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  /** Resolves with the match when stdout contains the pattern. */
  stdoutWith(pattern: RegExp): Promise<RegExpExecArray>;
  /** Calls the listener with each whole line of stderr, whatever the pieces in which it arrives. */
  onErrorLine(listener: (line: string) => void): void;
  readonly result: Promise<CliResult>;
}

export function startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}, input = ''): RunningCli {
  const child = spawn(process.execPath, [join(DIST, 'src', 'cli', 'main.js'), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const looks = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of looks) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const errorLines = createInterface({ input: child.stderr });
  child.stdin.end(input);
  const result = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return {
    child,
    result,
    onErrorLine: (listener) => void errorLines.on('line', listener),
    stdoutWith: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(stdout);
          if (found !== null) resolve(found);
        };
        looks.add(look);
        look();
        result.then(({ code }) =>
          reject(new Error(`ended with ${code} before the output matched:\n${stdout}\n${stderr}`)),
        );
      }),
  };
}

export function cli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<CliResult> {
  return startCli(args, env, input).result;
}

/** @returns whether a process with this pid exists. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
