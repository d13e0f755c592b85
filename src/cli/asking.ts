/** What commands ask an operator: who, why, for how long, and whether it is meant. */
import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { InvalidArgumentError } from 'commander';
import { inputFailure } from '../domain/failure.ts';

export function operator(by: string | undefined): string {
  return by ?? userInfo().username;
}

/** @throws Failure where it is not said */
export function reasonGiven(why: string | undefined): string {
  if (why !== undefined && why.trim() !== '') return why;
  throw inputFailure('INVALID_VERIFICATION', 'why', '--why is missing: say why, it is kept for whoever asks later');
}

/** Asks on a terminal; where there is none, says what to add. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    process.stderr.write(`${question} Add --yes.\n`);
    return false;
  }
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await ask.question(`${question} [y/N] `);
  ask.close();
  return /^y(es)?$/i.test(answer.trim());
}

/** One line, not shown where it is typed. @throws Failure where it is shorter than 8 characters */
export async function secretAsked(question: string): Promise<string> {
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ask = createInterface({ input: process.stdin, output: unseen, terminal: process.stdin.isTTY === true });
  if (process.stdin.isTTY) process.stderr.write(question);
  const answer = await ask.question('');
  ask.close();
  if (process.stdin.isTTY) process.stderr.write('\n');
  if (answer.length >= 8) return answer;
  throw inputFailure('INVALID_SETTINGS', 'password', 'the password is shorter than 8 characters: use a longer one');
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As an option's value: `90s`, `15m`, `2h`, `3d`, in ms. */
export function duration(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('write a number with s, m, h or d: 15m');
  return Number(count) * (UNITS[unit] ?? 0);
}
