import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { EnqueueResult } from '../../client/contract.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { AnswerWithHistory } from '../../domain/verification/view.ts';
import { printJson } from '../print.ts';
import { startProgress } from '../progress-bar.ts';
import { buildRequest, type RequestDefaults } from './build-request.ts';
import { type ManifestLine, readManifest } from './read-manifest.ts';

interface ManifestOptions {
  readonly manifest: string;
  readonly wait?: boolean;
  /** How long to wait for the results, seconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** The result of one line. */
interface Row {
  readonly line: number;
  readonly key: string | null;
  readonly id: string | null;
  readonly status: 'new' | 'same' | 'refused';
  readonly error: { readonly code: string; readonly field: string | null; readonly message: string } | null;
  readonly view: AnswerWithHistory | null;
}

type Views = ReadonlyMap<string, AnswerWithHistory | null>;

/** @returns the exit code. */
export async function enqueueManifest(
  client: BestframeClient,
  options: ManifestOptions,
  defaults: RequestDefaults,
): Promise<number> {
  const lines = await readManifest(options.manifest, (row) => buildRequest(row, defaults));
  const valid = lines.flatMap(({ number, request }) =>
    request === null ? [] : [{ line: number, request: { ...defaults, ...request } }],
  );
  const progress = startProgress(valid.length, 'enqueued');
  const results = await client.enqueueMany(
    valid.map(({ request }) => request as unknown as VerificationRequest), // The client validates each request.
    { onProgress: (done) => progress.update('enqueued', done) },
  );
  const ids = results.flatMap((result) => (result.status === 'refused' ? [] : [result.id]));
  const views = options.wait
    ? await waitForAll(client, ids, { ...options, onProgress: (done) => progress.update('decided', done) })
    : new Map();
  progress.stop();

  const rows = [
    ...lines.flatMap(invalidRow),
    ...results.map((result, index) => resultRow(valid[index]?.line ?? 0, result, views)),
  ].sort((a, b) => a.line - b.line);
  if (options.json) for (const row of rows) printJson(row);
  else printRows(rows);
  const isComplete = rows.every(
    ({ error, view }) => error === null && (!options.wait || (view !== null && view.next !== 'wait')),
  );
  return isComplete ? EXIT.ok : EXIT.failed;
}

async function waitForAll(
  client: BestframeClient,
  ids: readonly string[],
  { timeout, onProgress }: { readonly timeout: number; readonly onProgress: (done: number) => void },
): Promise<Views> {
  const endsAt = Date.now() + timeout * 1_000;
  const views = new Map<string, AnswerWithHistory | null>();
  for (const id of ids) {
    views.set(id, await client.wait(id, { timeoutMs: Math.max(0, endsAt - Date.now()) }));
    onProgress(views.size);
  }
  return views;
}

function invalidRow({ number, error }: ManifestLine): Row[] {
  return error === null ? [] : [{ line: number, key: null, id: null, status: 'refused', error, view: null }];
}

function resultRow(line: number, result: EnqueueResult, views: Views): Row {
  const { key, status } = result;
  if (status !== 'refused')
    return { line, key, id: result.id, status, error: null, view: views.get(result.id) ?? null };
  const { code, field = null, message } = result.error;
  return { line, key, id: null, status, error: { code, field, message }, view: null };
}

function printRows(rows: readonly Row[]): void {
  const refused = rows.filter(({ error }) => error !== null);
  for (const { line, error } of refused) process.stderr.write(`line ${line}: ${error?.code}: ${error?.message}\n`);
  const accepted = rows.filter(({ error }) => error === null);
  if (accepted.length > 0) {
    const cells = accepted.map(({ line, id, key, status, view }) => [
      String(line),
      id ?? '',
      key ?? '',
      status,
      view?.decision ?? '',
      view?.next ?? '',
    ]);
    process.stdout.write(formatTable(['line', 'id', 'key', 'status', 'decision', 'next'], cells));
  }
  process.stderr.write(`${accepted.length} enqueued, ${refused.length} refused\n`);
}
