/**
 * Checks the chains of an audit log.
 *
 * The check finds lines that were removed, changed, repeated or moved within a chain, and a missing beginning. With the report of an
 * earlier check, it also finds everything that was changed or cut since. Without that report, it cannot tell a chain that was cut at
 * its end from the chain of a process that runs or was killed, and it misses a log that somebody computed anew as a whole. So keep the
 * report where those who can write the log cannot write.
 */
import { z } from 'zod';
import { type AuditHead, type ChainedLine, lineHash, parseLine } from './audit.ts';

export const PROBLEM_KINDS = ['gap', 'changed', 'order', 'start', 'link', 'cut', 'open'] as const;

export interface AuditProblem {
  readonly kind: (typeof PROBLEM_KINDS)[number];
  readonly chain: string;
  /** Where it was noticed: `file:line`. Null if the line is missing. */
  readonly at: string | null;
  readonly text: string;
}

export interface AuditReport {
  readonly intact: boolean;
  /** Lines of the audit log. */
  readonly lines: number;
  /** Other lines, which are ignored: of other logs, or cut by a failed write. */
  readonly otherLines: number;
  readonly chains: number;
  /** Chains without a closing line: their processes run or were killed, or their ends were cut. */
  readonly open: readonly string[];
  readonly problems: readonly AuditProblem[];
  /** The ends of the chains that no later chain continues. Keep them elsewhere, and give them to the next check. */
  readonly heads: readonly AuditHead[];
}

export interface PlacedLine {
  /** `file:line` */
  readonly at: string;
  readonly text: string;
}

export interface AuditCheck {
  /** Reads all lines, those of the oldest file first. Called twice. */
  readonly read: () => AsyncIterable<PlacedLine>;
  /** The heads of an earlier report. @default none */
  readonly previous?: readonly AuditHead[];
  /** Whether older files were deleted on purpose, so that beginnings may be missing. */
  readonly olderGone: boolean;
  /** Whether all processes have stopped, so that every chain must be closed. */
  readonly stopped: boolean;
}

const savedReport = z.object({
  heads: z.array(z.object({ chain: z.string(), seq: z.number().int(), hash: z.string() })),
});

/** Reads `heads` from an earlier report. @returns null if the text is no such report. */
export function parseHeads(text: string): readonly AuditHead[] | null {
  try {
    return savedReport.parse(JSON.parse(text)).heads;
  } catch {
    return null;
  }
}

interface Chain {
  readonly id: string;
  /** Link to the chain before; undefined if the beginning is missing. */
  readonly link: string | null | undefined;
  readonly firstAt: string;
  seq: number;
  hash: string;
  lastAt: string;
  closed: boolean;
}

export async function checkAudit(check: AuditCheck): Promise<AuditReport> {
  const { read, previous = [], olderGone, stopped } = check;
  const chains = new Map<string, Chain>();
  const problems: AuditProblem[] = [];
  const heads = new Map(previous.map((head) => [`${head.chain} ${head.seq}`, head]));
  let lines = 0;
  let otherLines = 0;
  for await (const { at, text } of read()) {
    const line = parseLine(text);
    if (line === null) {
      if (text !== '') otherLines += 1;
      continue;
    }
    lines += 1;
    const hash = lineHash(text);
    const chain = chains.get(line.chain);
    if (chain === undefined) {
      if (line.seq !== 1 && !olderGone) problems.push(missingStart(line, at));
      chains.set(line.chain, beginChain(line, { at, hash }));
    } else {
      const problem = continueChain(chain, line, { at, hash });
      if (problem !== null) problems.push(problem);
    }
    const head = heads.get(`${line.chain} ${line.seq}`);
    if (head === undefined) continue;
    heads.delete(`${line.chain} ${line.seq}`);
    if (head.hash !== hash)
      problems.push(problemOf('changed', line.chain, at, 'the line, or one before it, was changed'));
  }
  const known = await findHashes(read, linksOf(chains));
  problems.push(...brokenLinks(chains, known, olderGone), ...missingHeads(heads.values(), chains, olderGone));
  const open = [...chains.values()].filter(({ closed }) => !closed);
  if (stopped)
    problems.push(...open.map(({ id, lastAt }) => problemOf('open', id, lastAt, 'the chain has no closing line')));
  const continued = new Set(linksOf(chains));
  return {
    intact: problems.length === 0,
    lines,
    otherLines,
    chains: chains.size,
    open: open.map(({ id }) => id),
    problems,
    heads: [...chains.values()]
      .filter(({ hash }) => !continued.has(hash))
      .map(({ id, seq, hash }) => ({ chain: id, seq, hash })),
  };
}

interface Place {
  readonly at: string;
  readonly hash: string;
}

function beginChain({ chain, seq, prev, act }: ChainedLine, { at, hash }: Place): Chain {
  const link = seq === 1 ? prev : undefined;
  return { id: chain, link, firstAt: at, seq, hash, lastAt: at, closed: act === 'audit.close' };
}

function continueChain(chain: Chain, line: ChainedLine, { at, hash }: Place): AuditProblem | null {
  const { id, seq } = chain;
  if (line.seq <= seq) return problemOf('order', id, at, `number ${line.seq} comes after number ${seq}`);
  const isClosed = chain.closed;
  const expected = chain.hash;
  const before = chain.lastAt;
  Object.assign(chain, { seq: line.seq, hash, lastAt: at, closed: line.act === 'audit.close' });
  if (line.seq > seq + 1) {
    const missing = line.seq === seq + 2 ? `line ${seq + 1} is` : `lines ${seq + 1} to ${line.seq - 1} are`;
    return problemOf('gap', id, at, `${missing} missing before this line`);
  }
  if (line.prev !== expected)
    return problemOf('changed', id, before, 'the line does not have the hash that the next line names');
  return isClosed ? problemOf('order', id, at, 'the line comes after the closing line') : null;
}

function missingStart({ chain, seq }: ChainedLine, at: string): AuditProblem {
  return problemOf('start', chain, at, `lines 1 to ${seq - 1} are missing: name the older files too, if there are any`);
}

function linksOf(chains: ReadonlyMap<string, Chain>): string[] {
  return [...chains.values()].flatMap(({ link }) => link ?? []);
}

/** Reads the log again, so that the hashes of all lines need not be kept in memory. */
async function findHashes(read: AuditCheck['read'], wanted: readonly string[]): Promise<Set<string>> {
  const missing = new Set(wanted);
  const found = new Set<string>();
  for await (const { text } of read()) {
    if (missing.size === found.size) break;
    const hash = lineHash(text);
    if (missing.has(hash)) found.add(hash);
  }
  return found;
}

function brokenLinks(
  chains: ReadonlyMap<string, Chain>,
  known: ReadonlySet<string>,
  olderGone: boolean,
): AuditProblem[] {
  if (olderGone) return [];
  return [...chains.values()].flatMap(({ id, link, firstAt }) =>
    link == null || known.has(link)
      ? []
      : problemOf('link', id, firstAt, 'the line before the first one of this chain is missing or was changed'),
  );
}

function missingHeads(
  heads: Iterable<AuditHead>,
  chains: ReadonlyMap<string, Chain>,
  olderGone: boolean,
): AuditProblem[] {
  return [...heads].flatMap(({ chain, seq }) => {
    const now = chains.get(chain);
    if (now === undefined && olderGone) return [];
    if (now !== undefined && now.seq > seq) return []; // its absence is a gap or a missing start, which has been reported
    const rest = now === undefined ? 'and the whole chain is missing' : `and the chain ends with line ${now.seq}`;
    return problemOf('cut', chain, now?.lastAt ?? null, `line ${seq} was there at the earlier check, ${rest}`);
  });
}

function problemOf(kind: AuditProblem['kind'], chain: string, at: string | null, text: string): AuditProblem {
  return { kind, chain, at, text };
}
