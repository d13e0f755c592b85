/** Questions on the terminal. They go to stderr, so that stdout carries only results. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { inputFailure } from '../domain/errors/failure.ts';

/** Asks for confirmation. Without a terminal the answer is no, and a hint names the option to add. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(`${question} Add --yes to confirm.\n`);
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** Reads one line without echoing it. @throws Failure if it is shorter than 8 characters. */
export async function readPassword(question: string): Promise<string> {
  const discard = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: discard, terminal: process.stdin.isTTY === true });
  if (process.stdin.isTTY) process.stderr.write(question);
  const password = await terminal.question('');
  terminal.close();
  if (process.stdin.isTTY) process.stderr.write('\n');
  if (password.length >= 8) return password;
  throw inputFailure('INVALID_SETTINGS', 'password', 'the password is shorter than 8 characters: use a longer one');
}
