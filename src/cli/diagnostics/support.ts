import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import type { SupportBundle, SupportCall } from '../../domain/verification/support.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { withClient } from '../with-client.ts';

interface Options {
  key?: boolean;
  out?: string;
  json?: boolean;
}

export function supportCommand(env: Env): Command {
  return new Command('support')
    .argument('<id>', 'id of the verification, or your own key with --key')
    .option('--key', 'treat the argument as your own key')
    .option('--out <file>', 'write to a file instead of stdout')
    .option('--json', 'JSON: {id, region, action, calls: [{at, api, code, requestId, parameters, bytes}], history, …}')
    .addHelpText(
      'after',
      `
Contains what Tencent Cloud's support asks for: RequestIds, times, region and the parameters of every call, with links cut to
host and path. It contains no face, no signature and no key of yours. Read it before you send it.`,
    )
    .action((idOrKey: string, { key, out, json }: Options) =>
      withClient(env, async (client, config) => {
        const id = key ? client.idOf(idOrKey) : idOrKey;
        await writeAudit(config, [{ act: 'timeline.read', on: id }]);
        const bundle = await client.support(id);
        if (bundle === null) {
          process.stderr.write(NOT_FOUND);
          process.exitCode = EXIT.failed;
          return;
        }
        const text = json ? `${JSON.stringify(bundle)}\n` : formatBundle(bundle);
        if (out === undefined) process.stdout.write(text);
        else {
          await writeFile(out, text);
          process.stderr.write(`written to ${out}\n`);
        }
      }),
    );
}

/** Plain text for a support ticket: no color, and every RequestId on its own line. */
function formatBundle(bundle: SupportBundle): string {
  const { action, version, region, id, mode, upload, state, reason, calls, history } = bundle;
  const lines = [
    `Tencent Cloud FaceID ${version}, ${action}, region ${region}`,
    `verification ${id}, mode ${mode}, links by ${upload}`,
    `state ${state}, ${formatOutcome(bundle)}${reason === null ? '' : `, ${reason}`}`,
    `created ${bundle.createdAt}, decided ${bundle.decidedAt ?? '–'}, ended ${bundle.endedAt ?? '–'}`,
    '',
    `Calls (${calls.length}), oldest first; links without their signatures`,
    ...calls.flatMap(formatCall),
    '',
    'History',
    ...history.map(formatHistoryEntry),
  ];
  return `${lines.join('\n')}\n`;
}

function formatOutcome({ decision, similarity }: SupportBundle): string {
  if (decision === null) return 'no decision';
  return `${decision}${similarity === null ? '' : `, Sim ${similarity}`}`;
}

function formatCall({ at, api, code, requestId, ms, billed, parameters, bytes }: SupportCall): string[] {
  const duration = ms === null ? '' : `, ${ms} ms`;
  return [
    `${at}  ${api}  ${code}${duration}${billed ? ', billed' : ''}`,
    `    RequestId  ${requestId ?? 'none, since no answer came'}`,
    ...Object.entries(parameters).map(([name, value]) => {
      const size = bytes[name];
      return `    ${name}  ${value}${size === undefined ? '' : `  (${size} bytes)`}`;
    }),
  ];
}

function formatHistoryEntry(entry: SupportBundle['history'][number]): string {
  const { at, event, stage, code, class: errorClass, ms, shape } = entry;
  const details = [
    errorClass === undefined ? undefined : `(${errorClass})`,
    ms === undefined ? undefined : `${ms} ms`,
    shape,
  ];
  return [at, event, stage, code, ...details].filter((part) => part !== undefined).join('  ');
}
