import { Argument, Command, Option } from 'commander';
import pc from 'picocolors';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { BreakerView } from '../../domain/operations/breakers.ts';
import { GATE_COMMANDS, type GateCommand, type GateView } from '../../domain/operations/gates.ts';
import type { WorkerView } from '../../domain/operations/workers.ts';
import { GATED_ACTIONS, type GatedAction, placesOf } from '../../domain/verification/actions.ts';
import { REGIONS, type Region } from '../../domain/verification/regions.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printResult } from '../print.ts';
import { confirm } from '../prompts.ts';
import { withClient } from '../with-client.ts';

interface Options {
  region?: Region;
  action?: GatedAction;
  by?: string;
  why?: string;
  yes?: boolean;
  json?: boolean;
}

export function gateCommand(env: Env): Command {
  return new Command('gate')
    .addArgument(new Argument('[operation]', 'what to do').choices(['status', ...GATE_COMMANDS]).default('status'))
    .addOption(
      new Option('--region <region>', 'only this region (default: those of BESTFRAME_REGIONS)').choices(REGIONS),
    )
    .addOption(new Option('--action <name>', 'only this action (default: all)').choices(GATED_ACTIONS))
    .option(...BY_OPTION)
    .option('--why <text>', 'reason, shown with the gate')
    .option('--yes', 'do not ask before all gates are closed or paused')
    .option('--json', 'print a JSON array')
    .addHelpText(
      'after',
      `
status  shows the gates, the services that verifications need, and workers that a fault of their machine keeps out of service
open    opens a gate that closed because of trouble with the account
close   closes a gate: now and then one verification passes as a probe, and its answer opens the gate
pause   stops all calls until resume
resume  ends a pause; a gate that was closed before the pause stays closed`,
    )
    .action((operation: 'status' | GateCommand, options: Options) =>
      withClient(env, async (client, config) => {
        if (operation !== 'status') {
          const [by, why = ''] = [operatorName(options.by), options.why];
          const regions = options.region === undefined ? config.regions : [options.region];
          const actions = options.action === undefined ? GATED_ACTIONS : [options.action];
          const gates = placesOf(actions).filter(({ region }) => regions.includes(region));
          if (!(await isMeant(operation, gates.length, options))) {
            process.exitCode = EXIT.failed;
            return;
          }
          const entry = { act: 'gate.steer', actor: by, what: operation, purpose: why } as const;
          await writeAudit(
            config,
            gates.map(({ region, action }) => ({ ...entry, on: `${region} ${action}` })),
          );
          for (const gate of gates) await client.steerGate(gate, operation, { by, why });
        }
        const shown = (await client.gates()).filter(
          ({ region, action }) => (options.region ?? region) === region && (options.action ?? action) === action,
        );
        const breakers = (await client.breakers()).filter(({ region }) => (options.region ?? region) === region);
        const text = [formatGates(shown), formatBreakers(breakers), formatWorkers(await client.workers())].join('');
        printResult(shown, text, options);
      }),
    );
}

/** Whether to go on. Asks before calls stop in more than one place, because a forgotten --region stops all of them. */
async function isMeant(
  operation: GateCommand,
  gates: number,
  { region, action, yes = false }: Options,
): Promise<boolean> {
  if (operation === 'open' || operation === 'resume' || yes || gates < 2) return true;
  if (region !== undefined && action !== undefined) return true;
  return confirm(`${operation === 'close' ? 'Close' : 'Pause'} ${gates} gates?`);
}

function formatBreakers(breakers: readonly BreakerView[]): string {
  if (breakers.length === 0) return '';
  const head = ['region', 'service', 'state', 'since', 'reason', 'next probe', 'recent calls'];
  const rows = breakers.map(({ region, dependency, state, since, code, nextProbeAt, worked, failed }) => [
    region,
    dependency,
    state === 'working' ? pc.green(state) : pc.red(state),
    since ?? '',
    code ?? '',
    nextProbeAt ?? '',
    `${worked} worked, ${failed} failed`,
  ]);
  return `\n${formatTable(head, rows)}`;
}

/** Lists only the workers that need an operator. */
function formatWorkers(workers: readonly WorkerView[]): string {
  return workers
    .filter(({ state }) => state !== 'ready')
    .map(({ worker, code, advice, since }) => {
      return `\n${pc.red(`worker ${worker} is out of service`)} since ${since}: ${code}: ${advice ?? ''}\n`;
    })
    .join('');
}

const COLORS = { open: pc.green, closed: pc.red, paused: pc.yellow };

function formatGates(gates: readonly GateView[]): string {
  if (gates.length === 0) return 'no gate has been used yet\n';
  const head = ['region', 'action', 'state', 'since', 'by', 'reason', 'next probe', 'pace', 'running calls'];
  const rows = gates.map((gate) => [
    gate.region,
    gate.action,
    COLORS[gate.state](gate.state),
    gate.since ?? '',
    gate.state === 'open' ? '' : (gate.by ?? ''),
    [gate.code, gate.state === 'open' ? null : gate.why].filter(Boolean).join(': '),
    gate.nextProbeAt ?? '',
    gate.pace === 1 ? '' : `${gate.pace} times slower`,
    String(gate.admitted),
  ]);
  const advice = gates.flatMap(({ code, advice: text }) =>
    code === null || text === null ? [] : [`${code}: ${text}`],
  );
  return `${formatTable(head, rows)}${[...new Set(advice)].map((line) => `\n${line}\n`).join('')}`;
}
