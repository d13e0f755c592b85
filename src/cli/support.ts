import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { readConfig } from '../config.ts';
import type { SupportBundle, SupportCall } from '../domain/support.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

interface Options {
  key?: boolean;
  out?: string;
  json?: boolean;
}

export function supportCommand(env: Env): Command {
  return new Command('support')
    .argument('<id>', 'its id, or with --key the key you gave it')
    .option('--key', 'the argument is your own key')
    .option('--out <file>', 'writes it to a file instead of stdout')
    .option('--json', 'JSON: {id, region, action, calls: [{at, api, code, requestId, parameters, bytes}], history, …}')
    .addHelpText(
      'after',
      `
What Tencent Cloud's support asks for: RequestIds, times, region and the parameters of every call, with links cut to host
and path. No face, no signature, no key of yours. Read it before you send it.`,
    )
    .action(async (id: string, options: Options) => {
      const client = openClient(readConfig(env));
      try {
        const bundle = await client.support(options.key ? client.idOf(id) : id);
        if (bundle === null) {
          process.stderr.write('no such verification (or its record has expired)\n');
          process.exitCode = EXIT.failed;
        } else if (options.out !== undefined) {
          await writeFile(options.out, options.json ? `${JSON.stringify(bundle)}\n` : inWords(bundle));
          process.stderr.write(`written to ${options.out}\n`);
        } else if (options.json) printJson(bundle);
        else process.stdout.write(inWords(bundle));
      } finally {
        await client.close();
      }
    });
}

/** Plain text, to be pasted into a ticket: no colour, every RequestId on a line of its own. */
function inWords(bundle: SupportBundle): string {
  const { action, version, region, id, mode, upload, state, decision, similarity, reason, calls, history } = bundle;
  const found = decision === null ? 'no decision' : `${decision}${similarity === null ? '' : `, Sim ${similarity}`}`;
  const lines = [
    `Tencent Cloud FaceID ${version}, ${action}, region ${region}`,
    `verification ${id}, mode ${mode}, links by ${upload}`,
    `state ${state}, ${found}${reason === null ? '' : `, ${reason}`}`,
    `created ${bundle.createdAt}, decided ${bundle.decidedAt ?? '–'}, ended ${bundle.endedAt ?? '–'}`,
    '',
    `Calls (${calls.length}), oldest first; links without their signatures`,
    ...calls.flatMap(callInWords),
    '',
    'History',
    ...history.map(({ at, event, stage, code, class: kind, ms }) =>
      [at, event, stage, code, kind === undefined ? undefined : `(${kind})`, ms === undefined ? undefined : `${ms} ms`]
        .filter((part) => part !== undefined)
        .join('  '),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function callInWords({ at, api, code, requestId, ms, billed, parameters, bytes }: SupportCall): string[] {
  const took = ms === null ? '' : `, ${ms} ms`;
  return [
    `${at}  ${api}  ${code}${took}${billed ? ', billed' : ''}`,
    `    RequestId  ${requestId ?? 'none: no answer came'}`,
    ...Object.entries(parameters).map(([name, value]) => {
      const size = bytes[name];
      return `    ${name}  ${value}${size === undefined ? '' : `  (${size} bytes)`}`;
    }),
  ];
}
