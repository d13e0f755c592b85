import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import pc from 'picocolors';
import type { Config } from '../../app/config.ts';
import { openProbe } from '../../app/redis.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { computeStatus, type Status, statusWithoutRedis } from '../../domain/operations/status.ts';
import { summarizeRecent, type Verdict } from '../../domain/operations/verdict.ts';
import { listedDecisions } from '../../domain/verification/states.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { parseCount } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

/** Recent activity is computed from at most this many ended verifications. */
const SAMPLE = 300;
const MAX_WATCH_S = 3_600;
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

export function statusCommand(env: Env): Command {
  return new Command('status')
    .option('--watch [seconds]', 'show it again and again, until Ctrl-C (default: every 5 s)', parseCount(MAX_WATCH_S))
    .option('--json', 'print JSON: {condition, verdict, findings, queues, workers, recent, costs}')
    .addHelpText(
      'after',
      `
Shows whether verifications are decided, what needs a person, and what to do. The exit code is 0 if nothing needs a person
(condition "fine"), and 1 otherwise ("attention": verifications go on, "down": they do not). If Redis is away or takes no
writes, it says so.`,
    )
    .action((options: { watch?: number | true; json?: boolean }) =>
      withClient(env, async (client, config) => {
        const probe = openProbe(config);
        try {
          await writeAudit(config, [{ act: 'verifications.list', what: 'status' }]);
          for (;;) {
            const status = await readStatus(client, config, probe);
            const isScreen = options.watch !== undefined && process.stdout.isTTY && options.json !== true;
            printResult(status, `${isScreen ? CLEAR_SCREEN : ''}${formatStatus(status)}`, options);
            process.exitCode = status.condition === 'fine' ? 0 : 1;
            if (options.watch === undefined) return;
            await sleep((options.watch === true ? 5 : options.watch) * 1_000);
          }
        } finally {
          probe.close();
        }
      }),
    );
}

async function readStatus(
  client: BestframeClient,
  { limits }: Config,
  probe: ReturnType<typeof openProbe>,
): Promise<Status> {
  const trouble = await probe.run();
  if (trouble !== null) return statusWithoutRedis(trouble);
  const now = Date.now();
  const [metrics, ended] = await Promise.all([client.metrics(), client.list({ ended: true, limit: SAMPLE })]);
  return computeStatus({ metrics, recent: summarizeRecent(ended, now), limits, now });
}

const CONDITIONS = { fine: pc.green, attention: pc.yellow, down: pc.red };

function formatStatus({ condition, verdict, findings, queues, workers, recent, costs }: Status): string {
  const parts = [pc.bold(CONDITIONS[condition](verdict === null ? 'Down: Redis' : sentence(verdict)))];
  if (findings.length > 0)
    parts.push(findings.map(({ level, what, act }) => `${CONDITIONS[level]('●')} ${what}\n  → ${act}`).join('\n'));
  if (verdict !== null) parts.push(formatNumbers(queues, workers, recent, costs));
  return `${parts.join('\n\n')}\n`;
}

function sentence(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'idle':
      return 'Idle: nothing waits.';
    case 'working': {
      const { waiting, perSecond, atLimit, clearMs } = verdict;
      const clear = clearMs === null ? '' : `, clear in ${duration(clearMs)}`;
      return `Working: ${waiting} wait, ${perSecond.toFixed(1)} end per second${atLimit ? ', at the vendor’s limit' : ''}${clear}.`;
    }
    case 'stopped':
      return `Stopped: ${verdict.waiting} wait, and their gates are ${verdict.gate.state}.`;
    case 'stalled':
      return `Stalled: ${verdict.waiting} wait, and nothing ends.`;
    case 'failing':
      return `Failing: ${verdict.failed} of the last ${verdict.ended} failed; ${verdict.waiting} wait.`;
  }
}

function formatNumbers(
  queues: Status['queues'],
  workers: Status['workers'],
  recent: Status['recent'],
  costs: Status['costs'],
): string {
  const rows = queues.map(({ region, waiting, active, delayed }) => {
    const serving = workers.filter(({ state, regions }) => state === 'ready' && regions.includes(region)).length;
    return [region, String(waiting), String(active), String(delayed), String(serving)];
  });
  const table = rows.length === 0 ? '' : formatTable(['region', 'waiting', 'running', 'delayed', 'workers'], rows);
  const lines = [];
  if (recent !== null) {
    const decided = listedDecisions(recent.decisions).map((each) => `${each} ${recent.decisions[each]}`);
    const ended = [...decided, `failed ${recent.failed}`, `cancelled ${recent.cancelled}`].join(', ');
    lines.push(`Ended in the last hour (of the newest ${SAMPLE}): ${ended}`);
    if (recent.interactiveP95Ms !== null)
      lines.push(`Interactive, time to decision, 95 of 100: ${duration(recent.interactiveP95Ms)}`);
  }
  if (costs !== null) {
    const { paidCalls, possiblyPaidCalls, costs: amounts } = costs.today;
    const money = amounts
      .map(({ currency, paid, possiblyPaid }) => `, ${paid} (+${possiblyPaid}) ${currency}`)
      .join('');
    lines.push(`Paid calls today: ${paidCalls} (+${possiblyPaidCalls} possibly)${money}`);
  }
  return `${table}${formatWorkers(workers)}${lines.map((line) => `${line}\n`).join('')}`.trimEnd();
}

function formatWorkers(workers: Status['workers']): string {
  if (workers.length === 0) return '';
  const head = ['worker', 'state', 'slots', 'regions', 'version', 'last heartbeat'];
  const rows = workers.map(({ worker, state, code, slots, regions, version, lastBeat }) => {
    const health = state === 'ready' ? pc.green(state) : pc.red(code ?? state);
    return [worker, health, `${slots.used}/${slots.of}`, regions.join(','), version, lastBeat];
  });
  return `\n${formatTable(head, rows)}\n`;
}

function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
