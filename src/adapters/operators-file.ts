/**
 * The operators in a file: one `name=roles=password` in a line. Lines that begin with `#` and empty lines are ignored.
 *
 * What must hold: an unusable file is an error when the process starts. If the file becomes unusable later, the operators that were
 * read last stay, and `onFault` is told once.
 */
import { readFileSync, statSync } from 'node:fs';
import { type Failure, inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import { type Operator, parseOperators } from '../domain/operations/operators.ts';

const SETTING = 'BESTFRAME_DASHBOARD_USERS_FILE';

export class OperatorsFile {
  readonly #path: string;
  readonly #onFault: (failure: Failure) => void;
  #version: string;
  #operators: readonly Operator[];

  /** @throws Failure INVALID_SETTINGS if the file cannot be read or an entry is wrong. */
  constructor(path: string, onFault: (failure: Failure) => void) {
    this.#path = path;
    this.#onFault = onFault;
    this.#version = versionOf(path);
    this.#operators = readOperators(path);
  }

  /** The operators in the file. If the file has changed, it is read again. */
  get operators(): readonly Operator[] {
    const version = versionOf(this.#path);
    if (version === this.#version) return this.#operators;
    this.#version = version;
    try {
      this.#operators = readOperators(this.#path);
    } catch (error) {
      this.#onFault(error as Failure);
    }
    return this.#operators;
  }
}

function versionOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? 'missing' : `${stats.ino}:${stats.mtimeNs}:${stats.size}`;
}

function readOperators(path: string): readonly Operator[] {
  const lines = readLines(path).map((line) => line.trim());
  const read = parseOperators(lines.filter((line) => line !== '' && !line.startsWith('#')));
  if ('operators' in read) return read.operators;
  throw inputFailure(CODES.INVALID_SETTINGS, SETTING, `${SETTING} has a line that ${read.fault}`);
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const message = `${SETTING} cannot be read (${code}): correct its path or permissions`;
    throw inputFailure(CODES.INVALID_SETTINGS, SETTING, message);
  }
}
