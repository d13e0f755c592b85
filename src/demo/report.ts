/** What became of the demo's verifications, against what their inputs called for: as a table, and as JSON. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import pc from 'picocolors';
import { decisionInColour, table } from '../cli/output.ts';
import { isTerminal } from '../domain/states.ts';
import type { VerificationView } from '../domain/view.ts';
import type { Expected, PreparedCase } from './scenarios.ts';

export interface Result {
  readonly case: PreparedCase;
  readonly id: string;
  readonly view: VerificationView | null;
  /** What is not as it should be; empty where all is well. */
  readonly problems: readonly string[];
}

export async function judge(prepared: PreparedCase, id: string, view: VerificationView | null): Promise<Result> {
  const problems =
    view === null ? ['it is lost'] : [...differences(prepared.expected, view), ...(await frameProblems(view))];
  return { case: prepared, id, view, problems };
}

function differences(expected: Expected, view: VerificationView): string[] {
  const rewinds = view.history.filter(
    ({ event, code }) => event === 'rewind' || (event === 'error' && REWINDING.test(code ?? '')),
  ).length;
  const seen = {
    state: view.state,
    decision: view.decision,
    reason: view.reason?.code,
    paidCalls: view.paidCalls,
    rewinds,
  };
  const wanted = Object.entries(expected) as [keyof Expected, unknown][];
  return wanted
    .filter(([name, value]) => seen[name] !== value)
    .map(([name, value]) => `${name} is ${seen[name]}, not ${value}`);
}

/** The answers that send a verification back to upload. */
const REWINDING = /DownLoad|MD5 Error/;

async function frameProblems({ bestFrame, frame, decision, similarity }: VerificationView): Promise<string[]> {
  if (bestFrame === null)
    return frame === 'none' && similarity !== null && decision === 'match'
      ? ['its frame is missing']
      : frame === 'lost'
        ? ['its frame is lost']
        : [];
  const bytes = await readFile(bestFrame.path);
  const md5 = createHash('md5').update(bytes).digest('hex');
  return md5 === bestFrame.md5 && bytes.length === bestFrame.bytes ? [] : ['its frame on disk has another MD5'];
}

export function summary(results: readonly Result[]) {
  const ended = results.filter(({ view }) => view !== null && isTerminal(view.state));
  return {
    enqueued: results.length,
    completed: ended.filter(({ view }) => view?.state === 'completed').length,
    failed: ended.filter(({ view }) => view?.state !== 'completed').length,
    lost: results.length - ended.length,
    asExpected: results.filter(({ problems }) => problems.length === 0).length,
  };
}

export function asJson(results: readonly Result[]) {
  return {
    summary: summary(results),
    verifications: results.map(({ case: { name }, id, view, problems }) => ({
      id,
      case: name,
      upload: view?.upload ?? null,
      state: view?.state ?? null,
      decision: view?.decision ?? null,
      similarity: view?.similarity ?? null,
      reason: view?.reason?.code ?? null,
      paidCalls: view?.paidCalls ?? 0,
      possiblyPaidCalls: view?.possiblyPaidCalls ?? 0,
      requestIds: view?.requestIds ?? [],
      stages: view?.stages ?? [],
      bestFrame: view?.bestFrame ?? null,
      problems,
    })),
  };
}

const HEAD = [
  '',
  'id',
  'case',
  'upload',
  'upload ms',
  'md5 ms',
  'detect ms',
  'download ms',
  'decision',
  'similarity',
  'paid',
  'RequestId',
  'frame',
];

export function asTable(results: readonly Result[]): string {
  // RequestIds are long and are in `bestframe get` and in the JSON: cut where the line would wrap.
  const whole = (process.stdout.columns ?? 999) >= 230;
  return table(
    HEAD,
    results.map((result) => row(result, whole)),
  );
}

function row({ case: { name }, id, view, problems }: Result, whole: boolean): string[] {
  const mark = problems.length === 0 ? pc.green('✓') : pc.red('✗');
  if (view === null) return [mark, id, name, '', '', '', '', '', pc.red('lost'), '', '', '', ''];
  const stage = (index: number) => {
    const { attempts, ms } = view.stages[index] ?? { attempts: 0, ms: 0 };
    return attempts === 0 ? '–' : `${Math.round(ms)}${attempts > 1 ? ` (${attempts}×)` : ''}`;
  };
  const requestId = view.requestIds.at(-1) ?? '–';
  const decided =
    view.decision === null ? pc.red(view.reason?.code ?? view.state) : decisionInColour(view.decision, view.state);
  return [
    mark,
    id,
    name,
    view.upload === 'own-bucket' ? 'own bucket' : 'upload URL',
    stage(0),
    stage(1),
    stage(2),
    stage(3),
    decided,
    view.similarity === null ? '–' : view.similarity.toFixed(2),
    String(view.paidCalls),
    whole || requestId.length < 10 ? requestId : `${requestId.slice(0, 8)}…`,
    view.bestFrame === null ? '–' : whole ? basename(view.bestFrame.path) : '✓',
  ];
}
