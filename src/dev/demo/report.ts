/** Compares the results of the demo with the expected ones, and formats them as a table and as JSON. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import pc from 'picocolors';
import { colorDecision, formatTable } from '../../app/terminal-format.ts';
import { keptFiles, OTHER_MEDIA } from '../../domain/verification/media.ts';
import { isTerminal, type StageName } from '../../domain/verification/states.ts';
import type { VerificationView } from '../../domain/verification/view.ts';
import { type DemoCase, type ExpectedResult, isSessionCase } from './scenarios.ts';

export interface DemoResult {
  readonly case: DemoCase;
  readonly id: string;
  /** Null: it is lost. */
  readonly view: VerificationView | null;
  /** The differences between the result and the expected result. Empty if there are none. */
  readonly problems: readonly string[];
}

export async function checkResult(demoCase: DemoCase, id: string, view: VerificationView | null): Promise<DemoResult> {
  const problems = view === null ? ['its record is lost'] : await problemsOf(demoCase, view);
  return { case: demoCase, id, view, problems };
}

async function problemsOf(demoCase: DemoCase, view: VerificationView): Promise<string[]> {
  return [
    ...differences(demoCase.expected, view),
    ...frameProblems(view),
    ...mediaProblems(demoCase, view),
    ...(await fileProblems(view)),
  ];
}

function differences(expected: ExpectedResult, view: VerificationView): string[] {
  const rewinds = view.history.filter(
    ({ event, code }) => event === 'rewind' || (event === 'error' && REWINDING.test(code ?? '')),
  ).length;
  const actual = {
    state: view.state,
    decision: view.decision,
    reason: view.reason?.code,
    paidCalls: view.paidCalls,
    rewinds,
    next: view.next,
  };
  const expectedEntries = Object.entries(expected) as [keyof ExpectedResult, unknown][];
  return expectedEntries
    .filter(([name, value]) => actual[name] !== value)
    .map(([name, value]) => `${name} is ${actual[name]}, not ${value}`);
}

/** Error codes and messages after which a verification goes back to upload. */
const REWINDING = /DownLoad|MD5 Error/;

function frameProblems({ bestFrame, frame, decision, similarity }: VerificationView): string[] {
  if (bestFrame !== null) return [];
  if (frame === 'none' && similarity !== null && decision === 'match') return ['the frame is missing'];
  return frame === 'lost' || frame === 'unknown_shape' ? [`the frame is ${frame}`] : [];
}

/** The media that a session was to bring besides its frame, and did not. */
function mediaProblems(demoCase: DemoCase, { session }: VerificationView): string[] {
  const wanted = isSessionCase(demoCase) ? (demoCase.session.media ?? []) : [];
  const stored = session?.media.map(({ name }) => name) ?? [];
  const missing = OTHER_MEDIA.filter((name) => wanted.includes(name) && !stored.includes(name));
  return missing.map((name) => `the ${name} is missing`);
}

/** Reads the frame, and the media of a session. */
async function fileProblems({ bestFrame, session }: VerificationView): Promise<string[]> {
  const problems: string[] = [];
  for (const { path, md5, bytes } of keptFiles({ stored: bestFrame, media: session?.media ?? [] })) {
    const content = await readFile(path);
    const isSame = createHash('md5').update(content).digest('hex') === md5 && content.length === bytes;
    if (!isSame) problems.push(`${basename(path)} on disk has a different MD5`);
  }
  return problems;
}

export function summarize(results: readonly DemoResult[]) {
  const ended = results.filter(({ view }) => view !== null && isTerminal(view.state));
  return {
    enqueued: results.length,
    completed: ended.filter(({ view }) => view?.state === 'completed').length,
    failed: ended.filter(({ view }) => view?.state !== 'completed').length,
    lost: results.length - ended.length,
    asExpected: results.filter(({ problems }) => problems.length === 0).length,
  };
}

export function toJson(results: readonly DemoResult[]) {
  return {
    summary: summarize(results),
    verifications: results.map(({ case: { name }, id, view, problems }) => ({
      id,
      case: name,
      action: view?.action ?? null,
      upload: view?.upload ?? null,
      state: view?.state ?? null,
      decision: view?.decision ?? null,
      next: view?.next ?? null,
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

/** A table of the verifications, and one of the sessions: their stages differ. */
export function formatResults(results: readonly DemoResult[]): string {
  const sessions = results.filter((result) => isSessionCase(result.case));
  const verifications = results.filter((result) => !isSessionCase(result.case));
  return [verifications, sessions].flatMap((group) => (group.length === 0 ? [] : [formatGroup(group)])).join('\n');
}

function formatGroup(results: readonly DemoResult[]): string {
  // RequestIds are shortened if the line would wrap. `bestframe get` and the JSON show them in full.
  const isWide = (process.stdout.columns ?? 999) >= 230;
  const [way, stages] = results.every((result) => isSessionCase(result.case))
    ? (['flow', SESSION_STAGES] as const)
    : (['upload', FILE_STAGES] as const);
  const head = ['', 'id', 'case', way, ...stages.map((stage) => `${stage} ms`), ...OUTCOME];
  return formatTable(
    head,
    results.map((result) => row(result, stages, { isWide })),
  );
}

const FILE_STAGES: readonly StageName[] = ['upload', 'md5', 'detect', 'download'];
/** Without `await`: in it, no worker works. */
const SESSION_STAGES: readonly StageName[] = ['start', 'collect', 'download'];
const OUTCOME = ['decision', 'similarity', 'paid', 'RequestId', 'frame'];

function row(
  { case: demoCase, id, view, problems }: DemoResult,
  stages: readonly StageName[],
  { isWide }: { isWide: boolean },
): string[] {
  const mark = problems.length === 0 ? pc.green('✓') : pc.red('✗');
  if (view === null)
    return [mark, id, demoCase.name, '', ...stages.map(() => ''), pc.red('lost'), ...OUTCOME.slice(1).map(() => '')];
  const stage = (name: StageName) => {
    const { attempts, ms } = view.stages.find((each) => each.name === name) ?? { attempts: 0, ms: 0 };
    return attempts === 0 ? '–' : `${Math.round(ms)}${attempts > 1 ? ` (${attempts}×)` : ''}`;
  };
  const requestId = view.requestIds.at(-1) ?? '–';
  const decision =
    view.decision === null ? pc.red(view.reason?.code ?? view.state) : colorDecision(view.decision, view.state);
  const outcome = view.secondOpinion === null ? decision : `${decision}, then ${view.next}`;
  return [
    mark,
    id,
    demoCase.name,
    wayOf(demoCase),
    ...stages.map(stage),
    outcome,
    view.similarity === null ? '–' : view.similarity.toFixed(2),
    String(view.paidCalls),
    isWide || requestId.length < 10 ? requestId : `${requestId.slice(0, 8)}…`,
    view.bestFrame === null ? '–' : isWide ? basename(view.bestFrame.path) : '✓',
  ];
}

function wayOf(demoCase: DemoCase): string {
  if (isSessionCase(demoCase)) return demoCase.session.action;
  const { upload } = demoCase.request;
  if (upload === undefined) return 'in the call';
  return upload === 'own-bucket' ? 'own bucket' : 'upload URL';
}
