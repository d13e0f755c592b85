import cliProgress from 'cli-progress';
import { Command } from 'commander';
import type { BestframeClient } from '../client/client.ts';
import { readConfig } from '../config.ts';
import type { Source } from '../domain/sources.ts';
import type { VerificationRequest } from '../domain/verification.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { readManifest } from './manifest.ts';
import { describe, type Env, printJson, table } from './output.ts';
import { seconds } from './wait.ts';

interface Options {
  key?: string;
  liveData?: string;
  video?: string;
  image?: string;
  action?: string;
  liveness?: string;
  region?: string;
  upload?: string;
  lane?: string;
  threshold?: string;
  deadline?: string;
  webhook?: string;
  manifest?: string;
  wait?: boolean;
  timeout: number;
  json?: boolean;
}

export function enqueueCommand(env: Env): Command {
  return new Command('enqueue')
    .option('--key <key>', 'your own key: the same key is the same verification, for ever')
    .option('--live-data <source>', 'liveness package: a file, an https URL, or cos:region/bucket/key')
    .option('--video <source>', 'video, for VideoLivenessCompare')
    .option('--image <source>', 'photo to compare with')
    .option('--action <name>', 'DetectReflectLivenessAndCompare (default) or VideoLivenessCompare')
    .option('--liveness <type>', 'SILENT, ACTION or LIP; VideoLivenessCompare needs it')
    .option('--region <region>', 'ap-singapore, ap-hongkong or ap-bangkok (default: the first of BESTFRAME_REGIONS)')
    .option('--upload <way>', 'own-bucket or create-upload-url (default: own-bucket where the region has one)')
    .option('--lane <lane>', 'interactive (default) or batch (default of a manifest)')
    .option('--threshold <n>', 'least similarity of a match, 0 to 100 (default 70)')
    .option('--deadline <time>', 'ISO 8601; default 60 s (interactive) or 24 h (batch) from now')
    .option('--webhook <name>', 'the registered endpoint that is told of it (default: BESTFRAME_WEBHOOK)')
    .option('--manifest <file>', 'JSON Lines or CSV, a verification a line; - reads JSON Lines from stdin')
    .option('--wait', 'wait for the decisions')
    .option('--timeout <seconds>', 'with --wait: how long at most', seconds, 60)
    .option('--json', 'JSON on stdout (a manifest: one line a verification)')
    .addHelpText(
      'after',
      `
A manifest's lines are verifications as in the API ({"key", "resources": {"liveData": {"from": "file", "path": …}, …}, …}).
A CSV has a header with key, liveData, video, image, action, liveness, region, upload, lane, similarityThreshold, deadline, webhook; sources as above.
A broken line is named and left out; the others go on, and the exit code is 1.`,
    )
    .action(async (options: Options) => {
      const config = readConfig(env);
      const region = config.regions[0] ?? 'ap-singapore';
      const defaults = { region, upload: config.buckets.has(region) ? 'own-bucket' : 'create-upload-url' };
      const client = openClient(config);
      try {
        process.exitCode = await (options.manifest === undefined
          ? one(client, options, defaults)
          : many(client, options, defaults));
      } finally {
        await client.close();
      }
    });
}

type Defaults = { region: string; upload: string };

async function one(client: BestframeClient, options: Options, defaults: Defaults): Promise<number> {
  const enqueued = await client.enqueue(requestOf(options, defaults) as unknown as VerificationRequest);
  if (!options.wait) {
    if (options.json) printJson(enqueued);
    else
      process.stdout.write(
        `${enqueued.id}  ${enqueued.status === 'new' ? 'enqueued' : `known already (${enqueued.state})`}\n`,
      );
    return EXIT.ok;
  }
  const view = await client.wait(enqueued.id, { until: 'ended', timeoutMs: options.timeout * 1_000 });
  if (options.json) printJson(view);
  else if (view !== null) process.stdout.write(describe(view));
  return view === null || view.next === 'wait' ? EXIT.failed : EXIT.ok;
}

async function many(client: BestframeClient, options: Options, defaults: Defaults): Promise<number> {
  const lines = await readManifest(options.manifest ?? '-', (row) => requestOf(row as unknown as Options, defaults));
  const good = lines.flatMap((line) =>
    line.request === null ? [] : [{ line: line.number, request: { ...defaults, ...line.request } }],
  );
  const bar = new cliProgress.SingleBar(
    { format: '{bar} {value}/{total} {what}', noTTYOutput: false, hideCursor: true, stream: process.stderr },
    cliProgress.Presets.rect,
  );
  const showBar = process.stderr.isTTY === true;
  if (showBar) bar.start(good.length, 0, { what: 'enqueued' });
  const results = await client.enqueueMany(
    good.map(({ request }) => request as unknown as VerificationRequest),
    { onProgress: (done) => showBar && bar.update(done) },
  );
  const ids = results.flatMap((result) => (result.status === 'refused' ? [] : [result.id]));
  const views = options.wait
    ? await waitForAll(client, ids, options.timeout, (done) => showBar && bar.update(done, { what: 'decided' }))
    : new Map();
  if (showBar) bar.stop();

  const rows = [
    ...lines.flatMap((line) =>
      line.error === null
        ? []
        : [{ line: line.number, key: null, id: null, status: 'refused', error: line.error, view: null }],
    ),
    ...results.map((result, index) => ({
      line: good[index]?.line ?? 0,
      key: result.key,
      id: result.status === 'refused' ? null : result.id,
      status: result.status,
      error:
        result.status === 'refused'
          ? { code: result.error.code, field: result.error.field ?? null, message: result.error.message }
          : null,
      view: result.status === 'refused' ? null : (views.get(result.id) ?? null),
    })),
  ].sort((a, b) => a.line - b.line);
  if (options.json) for (const row of rows) printJson(row);
  else printRows(rows);
  const bad = rows.filter(
    (row) => row.error !== null || (options.wait && (row.view === null || row.view.next === 'wait')),
  );
  return bad.length === 0 ? EXIT.ok : EXIT.failed;
}

async function waitForAll(
  client: BestframeClient,
  ids: readonly string[],
  timeoutS: number,
  onProgress: (done: number) => void,
) {
  const endsAt = Date.now() + timeoutS * 1_000;
  const views = new Map<string, unknown>();
  for (const id of ids) {
    views.set(id, await client.wait(id, { timeoutMs: Math.max(0, endsAt - Date.now()) }));
    onProgress(views.size);
  }
  return views;
}

function printRows(
  rows: readonly {
    line: number;
    key: string | null;
    id: string | null;
    status: string;
    error: { code: string; message: string } | null;
    view: { next: string; decision: string | null } | null;
  }[],
): void {
  const refused = rows.filter((row) => row.error !== null);
  for (const { line, error } of refused) process.stderr.write(`line ${line}: ${error?.code}: ${error?.message}\n`);
  const accepted = rows.filter((row) => row.error === null);
  if (accepted.length > 0) {
    const cells = accepted.map(({ line, id, key, status, view }) => [
      String(line),
      id ?? '',
      key ?? '',
      status,
      view?.decision ?? '',
      view?.next ?? '',
    ]);
    process.stdout.write(table(['line', 'id', 'key', 'status', 'decision', 'next'], cells));
  }
  process.stderr.write(`${accepted.length} enqueued, ${refused.length} refused\n`);
}

/** Options or a CSV row to a request; what is missing or wrong is said by the schema. */
function requestOf(
  options: Partial<Options> & { similarityThreshold?: string },
  defaults: Defaults,
): Record<string, unknown> {
  const { key, liveData, video, image, action, liveness, lane, deadline, webhook } = options;
  const threshold = options.threshold ?? options.similarityThreshold;
  const resources = Object.fromEntries(
    Object.entries({ liveData, video, image }).flatMap(([name, text]) =>
      text === undefined || text === '' ? [] : [[name, sourceOf(text)]],
    ),
  );
  const optional = { action, lane, deadline, webhook };
  return {
    key,
    region: options.region || defaults.region,
    upload: options.upload || defaults.upload,
    resources,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined && value !== '')),
    ...(liveness === undefined || liveness === '' ? {} : { liveness: { type: liveness } }),
    ...(threshold === undefined || threshold === '' ? {} : { similarityThreshold: Number(threshold) }),
  };
}

/** `https://…`, `cos:region/bucket/key`, else the path of a file. */
export function sourceOf(text: string): Source | Record<string, string> {
  if (/^https?:\/\//i.test(text)) return { from: 'https', url: text };
  const cos = /^cos:([^/]+)\/([^/]+)\/(.+)$/.exec(text);
  if (cos !== null) return { from: 'cos', region: cos[1] ?? '', bucket: cos[2] ?? '', key: cos[3] ?? '' };
  return { from: 'file', path: text };
}
