/**
 * The lines of the audit log and the chain that connects them.
 *
 * Each process that writes the log has a chain of its own. A line has the id of its chain, its number in the chain (`seq`, from 1)
 * and the SHA-256 of the chain's previous line (`prev`). In the first line of a chain, `prev` is the hash of the line that was the
 * last in the file when the process opened it, so that chains of processes that end are connected too.
 *
 * What must hold:
 * 1. No two lines of a chain have the same number, and no number is left out.
 * 2. A chain whose line may not have been written is never continued: the next line begins a new chain.
 */
import { createHash, randomBytes } from 'node:crypto';

export const ACTS = [
  'frame.read',
  'frame.head',
  'frame.acknowledge',
  'timeline.read',
  'verifications.list',
  'verification.resubmit',
  'cancel',
  'export',
  'erase',
  'receipt.read',
  'evidence.read',
  'legal-hold.change',
  'held.resolve',
  'retry',
  'gate.steer',
  'webhook.change',
  'webhook.list',
  'tenant.change',
  'key.list',
  'key.create',
  'key.revoke',
  'key.rotate',
  'key.export',
  'key.import',
  'login',
  'login.refused',
  'session.end',
  'audit.read',
  'audit.close',
] as const;

export type Act = (typeof ACTS)[number];

export interface AuditEntry {
  readonly act: Act;
  /** The id of an API key, the user of the command line or of the site, or the `actor` of a client; null if unknown. */
  readonly actor: string | null;
  readonly tenant: string | null;
  /** What the action is applied to: the id of a verification, an API key or a gate. */
  readonly on?: string;
  /** The decision, the filter of a list, or the reason for a refusal. */
  readonly what?: string;
  /** The purpose that the caller stated. */
  readonly purpose?: string;
  /** How many acts the line stands for. Without it, one. */
  readonly count?: number;
  readonly requestId?: string;
  /** Address of the client, with logins. */
  readonly address?: string;
}

/** A position in a chain: the number and the hash of a line. */
export interface AuditHead {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

/** Makes the lines of one chain. */
export class AuditChain {
  readonly #id = randomBytes(8).toString('hex');
  #seq = 0;
  #head: string | null;

  /** @param link hash of the last line before this chain; null if there is none, or if it is unknown. */
  constructor(link: string | null) {
    this.#head = link;
  }

  get isEmpty(): boolean {
    return this.#seq === 0;
  }

  /** Hash of the last line. Before the first line, the link to the previous chain. */
  get head(): string | null {
    return this.#head;
  }

  /** @param at ms since 1970 @returns the next line, without a line break. */
  next(entry: AuditEntry, at: number): string {
    this.#seq += 1;
    const chained = { chain: this.#id, seq: this.#seq, prev: this.#head };
    const line = JSON.stringify({ at: new Date(at).toISOString(), ...entry, ...chained });
    this.#head = lineHash(line);
    return line;
  }
}

/** The last line of a chain whose process has stopped. */
export const CLOSING: AuditEntry = { act: 'audit.close', actor: null, tenant: null };

export function lineHash(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

export interface ChainedLine {
  readonly act: string;
  readonly chain: string;
  readonly seq: number;
  readonly prev: string | null;
}

/** @returns null if the text is not a line of the audit log: a file that also receives other logs has such lines. */
export function parseLine(text: string): ChainedLine | null {
  let line: Partial<Record<string, unknown>> | null;
  try {
    line = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof line !== 'object' || line === null) return null;
  const { act, chain, seq, prev } = line;
  if (typeof act !== 'string' || typeof chain !== 'string' || !Number.isSafeInteger(seq)) return null;
  if (prev !== null && typeof prev !== 'string') return null;
  return { act, chain, seq: seq as number, prev };
}
