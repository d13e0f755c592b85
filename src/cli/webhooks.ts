import { Argument, Command } from 'commander';
import pc from 'picocolors';
import type { BestframeClient } from '../client/client.ts';
import { readConfig } from '../config.ts';
import { inputFailure } from '../domain/failure.ts';
import { type DeadNotification, WEBHOOK_EVENTS, type WebhookEvent, type WebhookView } from '../domain/webhooks.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson, table } from './output.ts';

const WHAT = ['list', 'add', 'remove', 'rotate', 'settle', 'enable', 'test', 'dead', 'redeliver'] as const;
type What = (typeof WHAT)[number];

interface Options {
  events?: string;
  secret?: string;
  endpoint?: string;
  limit: number;
  json?: boolean;
}

export function webhooksCommand(env: Env): Command {
  return new Command('webhooks')
    .addArgument(new Argument('[what]', 'what to do').choices(WHAT).default('list'))
    .argument('[name]', 'name of the endpoint; with redeliver, the id of a dead notification')
    .argument('[url]', 'with add: where it is told, https')
    .option('--events <list>', `with add: only these, comma-separated: ${WEBHOOK_EVENTS.join(', ')} (default: all)`)
    .option('--secret <secret>', 'with add and rotate: whsec_… of your own (default: a new one, which is shown once)')
    .option('--endpoint <name>', 'with dead and redeliver: all of this endpoint')
    .option('--limit <n>', 'with dead and redeliver: how many at most', Number, 50)
    .option('--json', 'JSON on stdout')
    .addHelpText(
      'after',
      `
add        registers an endpoint, or changes it; shows its secret
rotate     a new secret: deliveries are signed with both, until
settle     ends that: the older one counts no more
enable     tells it again, where it rests after failures or was disabled (410)
test       sends it a webhook.test, and says what came of it
dead       what was given up, the newest first
redeliver  puts it back into the queue, under the same webhook-id

Verifications name an endpoint (\`webhook\`), or BESTFRAME_WEBHOOK does for all. docs/webhooks.md says what is sent and how to
receive it; \`bestframe start notify\` is the worker that sends it.`,
    )
    .action(async (what: What, name: string | undefined, url: string | undefined, options: Options) => {
      const client = openClient(readConfig(env));
      try {
        process.exitCode = await act(client, what, name, url, options);
      } finally {
        await client.close();
      }
    });
}

async function act(
  { webhooks }: BestframeClient,
  what: What,
  name: string | undefined,
  url: string | undefined,
  options: Options,
): Promise<number> {
  const { endpoint, limit, secret, json } = options;
  const say = (value: object, words: string) => {
    if (json) printJson(value);
    else process.stdout.write(words);
  };
  switch (what) {
    case 'list': {
      const all = await webhooks.list();
      say(all, listInWords(all));
      return EXIT.ok;
    }
    case 'add': {
      const added = await webhooks.add({
        name: given(name),
        url: given(url, 'url'),
        events: eventsOf(options),
        secret,
      });
      say(added, `${added.name} is registered\n${secretInWords(added.secret)}`);
      return EXIT.ok;
    }
    case 'rotate': {
      const rotated = await webhooks.rotate(given(name), secret);
      const next = `Deliveries are signed with it and with the one before. Once the receiver has it: bestframe webhooks settle ${rotated.name}`;
      say(rotated, `${secretInWords(rotated.secret)}${next}\n`);
      return EXIT.ok;
    }
    case 'settle':
    case 'enable': {
      await webhooks[what](given(name));
      say({ name, status: 'ok' }, 'done\n');
      return EXIT.ok;
    }
    case 'remove': {
      const status = await webhooks.remove(given(name));
      say({ name, status }, status === 'ok' ? 'removed\n' : 'no endpoint has this name\n');
      return status === 'ok' ? EXIT.ok : EXIT.failed;
    }
    case 'test': {
      const tested = await webhooks.test(given(name));
      const words = {
        delivered: 'delivered',
        failed: `failed: ${tested.code}`,
        waiting: 'nothing came of it: is there a notify worker?',
      };
      say(tested, `${words[tested.status]}\n`);
      return tested.status === 'delivered' ? EXIT.ok : EXIT.failed;
    }
    case 'dead': {
      const dead = await webhooks.dead({ endpoint, limit });
      say(dead, deadInWords(dead));
      return EXIT.ok;
    }
    case 'redeliver': {
      const ids =
        endpoint === undefined ? [given(name, 'id')] : (await webhooks.dead({ endpoint, limit })).map(({ id }) => id);
      const results = [];
      for (const id of ids) results.push({ id, status: (await webhooks.redeliver(id)) ? 'ok' : 'not dead' });
      say(results, results.map(({ id, status }) => `${id}  ${status}\n`).join('') || 'nothing is dead\n');
      return results.every(({ status }) => status === 'ok') ? EXIT.ok : EXIT.failed;
    }
  }
}

function given(text: string | undefined, field = 'name'): string {
  if (text !== undefined) return text;
  throw inputFailure('INVALID_WEBHOOK', field, `${field} is missing: see bestframe webhooks --help`);
}

function eventsOf({ events }: Options): WebhookEvent[] | undefined {
  return events?.split(',').map((event) => event.trim() as WebhookEvent); // judged where it is registered
}

function secretInWords(secret: string): string {
  return `${pc.bold(secret)}\nThis is its secret, and it is not shown again: give it to the receiver.\n`;
}

function listInWords(all: readonly WebhookView[]): string {
  if (all.length === 0) return 'no endpoint is registered\n';
  const rows = all.map(({ name, url, events, secrets, state, code }) => [
    name,
    url ?? 'by settings',
    events?.join(' ') ?? 'all',
    url === null ? '' : String(secrets),
    `${state}${code === null ? '' : `: ${code}`}`,
  ]);
  return table(['name', 'url', 'events', 'secrets', 'state'], rows);
}

function deadInWords(dead: readonly DeadNotification[]): string {
  if (dead.length === 0) return 'nothing is dead\n';
  const rows = dead.map(({ id, endpoint, code, tries, at }) => [id, endpoint, code, String(tries), at]);
  return table(['id', 'endpoint', 'code', 'tries', 'given up'], rows);
}
