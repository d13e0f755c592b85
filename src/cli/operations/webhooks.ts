import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Argument, Command } from 'commander';
import pc from 'picocolors';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import {
  type DeadNotification,
  WEBHOOK_EVENTS,
  type WebhookEvent,
  type WebhookView,
} from '../../domain/operations/webhooks.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

const OPERATION_NAMES = ['list', 'add', 'remove', 'rotate', 'settle', 'enable', 'test', 'dead', 'redeliver'] as const;
type OperationName = (typeof OPERATION_NAMES)[number];

interface Options {
  events?: string;
  secretFile?: string;
  endpoint?: string;
  limit: number;
  by?: string;
  json?: boolean;
}

export function webhooksCommand(env: Env): Command {
  return new Command('webhooks')
    .addArgument(new Argument('[operation]', 'what to do').choices(OPERATION_NAMES).default('list'))
    .argument('[name]', 'name of the endpoint; with redeliver, id of a dead notification')
    .argument('[url]', 'with add: https URL of the endpoint')
    .option('--events <list>', `with add: events to send, comma-separated: ${WEBHOOK_EVENTS.join(', ')} (default: all)`)
    .option(
      '--secret-file <file>',
      'with add and rotate: file with your own secret, whsec_…; - is stdin (default: a new secret, shown once)',
    )
    .option('--endpoint <name>', 'with dead and redeliver: all notifications for this endpoint')
    .option('--limit <n>', 'with dead and redeliver: largest number of notifications', Number, 50)
    .option(...BY_OPTION)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
list       shows the endpoints
add        registers or changes an endpoint, and shows its secret
remove     removes an endpoint
rotate     creates a second secret; deliveries are signed with both until settle
settle     removes the older of two secrets
enable     resumes deliveries after failures, or after the endpoint answered 410
test       sends webhook.test to the endpoint, and shows the outcome
dead       shows notifications that could not be delivered, newest first
redeliver  puts dead notifications back into the queue, with the same webhook-id

A verification names its endpoint in \`webhook\`; BESTFRAME_WEBHOOK is the default. docs/webhooks.md describes the requests.
\`bestframe start notify\` runs the worker that sends them. Every operation is written to BESTFRAME_AUDIT (stderr replaces stdout).`,
    )
    .action((operation: OperationName, name: string | undefined, url: string | undefined, options: Options) =>
      withClient(env, async ({ webhooks }, config) => {
        const actor = operatorName(options.by);
        const isList = operation === 'list' || operation === 'dead';
        const what = isList ? LISTS[operation] : `${operation} ${name ?? `all of ${options.endpoint ?? 'none'}`}`;
        await writeAudit(config, [{ act: isList ? 'webhook.list' : 'webhook.change', actor, what }]);
        process.exitCode = await OPERATIONS[operation]({ webhooks, name, url, options });
      }),
    );
}

const LISTS = { list: 'endpoints', dead: 'dead notifications' } as const;

interface Invocation {
  readonly webhooks: BestframeClient['webhooks'];
  readonly name: string | undefined;
  readonly url: string | undefined;
  readonly options: Options;
}

/** The operations by name. Each returns the exit code. */
const OPERATIONS: Readonly<Record<OperationName, (invocation: Invocation) => Promise<number>>> = {
  async list({ webhooks, options }) {
    const endpoints = await webhooks.list();
    printResult(endpoints, formatEndpoints(endpoints), options);
    return EXIT.ok;
  },

  async add({ webhooks, name, url, options }) {
    const secret = await readSecret(options);
    const endpoint = { name: required(name, 'name'), url: required(url, 'url'), events: eventsOf(options), secret };
    const added = await webhooks.add(endpoint);
    printResult(added, `${added.name} is registered\n${formatSecret(added.secret)}`, options);
    return EXIT.ok;
  },

  async remove({ webhooks, name, options }) {
    const status = await webhooks.remove(required(name, 'name'));
    printResult({ name, status }, status === 'ok' ? 'removed\n' : 'there is no endpoint with this name\n', options);
    return status === 'ok' ? EXIT.ok : EXIT.failed;
  },

  async rotate({ webhooks, name, options }) {
    const rotated = await webhooks.rotate(required(name, 'name'), await readSecret(options));
    const next = `Deliveries are signed with this secret and the previous one. When the receiver has the new one, run: bestframe webhooks settle ${rotated.name}`;
    printResult(rotated, `${formatSecret(rotated.secret)}${next}\n`, options);
    return EXIT.ok;
  },

  async settle({ webhooks, name, options }) {
    await webhooks.settle(required(name, 'name'));
    printResult({ name, status: 'ok' }, 'done\n', options);
    return EXIT.ok;
  },

  async enable({ webhooks, name, options }) {
    await webhooks.enable(required(name, 'name'));
    printResult({ name, status: 'ok' }, 'done\n', options);
    return EXIT.ok;
  },

  async test({ webhooks, name, options }) {
    const tested = await webhooks.test(required(name, 'name'));
    const texts = {
      delivered: 'delivered',
      failed: `failed: ${tested.code}`,
      waiting: 'no outcome yet: check that a notify worker is running',
    };
    printResult(tested, `${texts[tested.status]}\n`, options);
    return tested.status === 'delivered' ? EXIT.ok : EXIT.failed;
  },

  async dead({ webhooks, options }) {
    const { endpoint, limit } = options;
    const notifications = await webhooks.deadLetters({ endpoint, limit });
    printResult(notifications, formatDead(notifications), options);
    return EXIT.ok;
  },

  async redeliver({ webhooks, name, options }) {
    const { endpoint, limit } = options;
    const ids =
      endpoint === undefined
        ? [required(name, 'id')]
        : (await webhooks.deadLetters({ endpoint, limit })).map(({ id }) => id);
    const results = [];
    for (const id of ids) results.push({ id, status: (await webhooks.redeliver(id)) ? 'ok' : 'not_dead' });
    const lines = results.map(({ id, status }) => `${id}  ${status}\n`).join('') || 'there is no dead notification\n';
    printResult(results, lines, options);
    return results.every(({ status }) => status === 'ok') ? EXIT.ok : EXIT.failed;
  },
};

function required(argument: string | undefined, field: 'name' | 'url' | 'id'): string {
  if (argument !== undefined) return argument;
  throw inputFailure('INVALID_WEBHOOK', field, `${field} is missing: see bestframe webhooks --help`);
}

/** Reads a secret from a file or stdin, because every user of the machine can see arguments. @throws Failure INVALID_WEBHOOK */
async function readSecret({ secretFile }: Options): Promise<string | undefined> {
  if (secretFile === undefined) return undefined;
  try {
    return (secretFile === '-' ? await text(process.stdin) : await readFile(secretFile, 'utf8')).trim();
  } catch {
    throw inputFailure(
      'INVALID_WEBHOOK',
      'secretFile',
      'the secret file cannot be read: correct its path or permissions',
    );
  }
}

function eventsOf({ events }: Options): WebhookEvent[] | undefined {
  return events?.split(',').map((event) => event.trim() as WebhookEvent); // The registry validates the names.
}

function formatSecret(secret: string): string {
  return `${pc.bold(secret)}\nThis is the endpoint's secret. Give it to the receiver now: it is not shown again.\n`;
}

function formatEndpoints(endpoints: readonly WebhookView[]): string {
  if (endpoints.length === 0) return 'no endpoint is registered\n';
  const rows = endpoints.map(({ name, url, events, secrets, state, code }) => [
    name,
    url ?? 'from settings',
    events?.join(' ') ?? 'all',
    url === null ? '' : String(secrets),
    `${state}${code === null ? '' : `: ${code}`}`,
  ]);
  return formatTable(['name', 'url', 'events', 'secrets', 'state'], rows);
}

function formatDead(notifications: readonly DeadNotification[]): string {
  if (notifications.length === 0) return 'there is no dead notification\n';
  const rows = notifications.map(({ id, endpoint, code, tries, at }) => [id, endpoint, code, String(tries), at]);
  return formatTable(['id', 'endpoint', 'code', 'tries', 'given up'], rows);
}
