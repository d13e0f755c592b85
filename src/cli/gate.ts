import { Argument, Command, Option } from 'commander';
import pc from 'picocolors';
import { readConfig } from '../config.ts';
import { GATED_ACTIONS, type GatedAction, REGIONS, type Region } from '../domain/actions.ts';
import { type GateView, STEERS, type Steer } from '../domain/gates.ts';
import { openClient } from '../open-client.ts';
import { operator } from './asking.ts';
import { writeAudit } from './audited.ts';
import { type Env, printJson, table } from './output.ts';

interface Options {
  region?: Region;
  action?: GatedAction;
  by?: string;
  why?: string;
  json?: boolean;
}

export function gateCommand(env: Env): Command {
  return new Command('gate')
    .addArgument(new Argument('[what]', 'status, or what to do').choices(['status', ...STEERS]).default('status'))
    .addOption(
      new Option('--region <region>', 'one region only (default: those of BESTFRAME_REGIONS)').choices(REGIONS),
    )
    .addOption(new Option('--action <name>', 'one action only (default: all)').choices(GATED_ACTIONS))
    .option('--by <name>', 'who does it (default: the user of this machine)')
    .option('--why <text>', 'why; shown to whoever asks later')
    .option('--json', 'JSON on stdout: an array')
    .addHelpText(
      'after',
      `
open    lets calls through again, where trouble with the account has closed the gate
close   rests it: one verification now and then is let through as a probe, and opens it when it is answered
pause   lets nobody through, until resume
resume  ends a pause; a gate that is closed beneath it stays closed`,
    )
    .action(async (what: 'status' | Steer, options: Options) => {
      const config = readConfig(env);
      const client = openClient(config);
      try {
        if (what !== 'status') {
          const [by, why = ''] = [operator(options.by), options.why];
          const gates = (options.region === undefined ? config.regions : [options.region]).flatMap((region) =>
            (options.action === undefined ? GATED_ACTIONS : [options.action]).map((action) => ({ region, action })),
          );
          const entry = { act: 'gate.steer', actor: by, what, purpose: why } as const;
          await writeAudit(
            config,
            gates.map(({ region, action }) => ({ ...entry, on: `${region} ${action}` })),
          );
          for (const { region, action } of gates) await client.steer(region, action, what, by, why);
        }
        const gates = (await client.gates()).filter(
          ({ region, action }) => (options.region ?? region) === region && (options.action ?? action) === action,
        );
        if (options.json) printJson(gates);
        else process.stdout.write(inWords(gates));
      } finally {
        await client.close();
      }
    });
}

const COLOUR = { open: pc.green, closed: pc.red, paused: pc.yellow };

function inWords(gates: readonly GateView[]): string {
  if (gates.length === 0) return 'no gate was used yet\n';
  const head = ['region', 'action', 'state', 'since', 'by', 'reason', 'next probe', 'pace', 'on the way'];
  const rows = gates.map((gate) => [
    gate.region,
    gate.action,
    COLOUR[gate.state](gate.state),
    gate.since ?? '',
    gate.state === 'open' ? '' : (gate.by ?? ''),
    [gate.code, gate.state === 'open' ? null : gate.why].filter(Boolean).join(': '),
    gate.nextProbeAt ?? '',
    gate.pace === 1 ? '' : `${gate.pace} times slower`,
    String(gate.admitted),
  ]);
  const advice = [
    ...new Set(
      gates.flatMap(({ code, advice: words }) => (code === null || words === null ? [] : [`${code}: ${words}`])),
    ),
  ];
  return `${table(head, rows)}${advice.map((line) => `\n${line}\n`).join('')}`;
}
