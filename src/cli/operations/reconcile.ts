import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import type { Config } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { ApiKeys } from '../../client/redis/api-keys.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { printJson } from '../print.ts';
import { withClient } from '../with-client.ts';

const CHUNK = 500;

interface Options {
  readonly json?: boolean;
  readonly tenant?: string;
  readonly allTenants?: boolean;
}

interface Result {
  known: number;
  gone: number;
  missing: string[];
}

/** A line of the input: an idempotency key and, if the line names one, a tenant. */
interface Line {
  readonly key: string;
  readonly tenant: string | null;
}

export function reconcileCommand(env: Env): Command {
  return new Command('reconcile')
    .argument('[file]', 'your keys: one per line, or JSON Lines with "key" and maybe "tenant"; - reads stdin', '-')
    .option('--tenant <names>', 'tenants whose keys these are, comma-separated (default: BESTFRAME_TENANT)')
    .option('--all-tenants', 'look under every tenant that has an API key, and under the deployment itself')
    .option('--json', 'print JSON: {known, gone, missing: [key, …]}')
    .addHelpText(
      'after',
      `
Finds the keys that Redis does not know after it lost data or was restored from a backup. Enqueue these again: a verification
whose frame is still stored is not paid for twice. A key is missing if none of its tenants has it; requests over HTTP belong to
the tenant of their API key. After a loss, import the API keys first: --all-tenants goes by them. The exit code is 1 if a key
is missing.`,
    )
    .action((file: string, options: Options) =>
      withClient(env, async (client, config) => {
        await writeAudit(config, [{ act: 'verifications.list', what: 'many keys' }]);
        const result: Result = { known: 0, gone: 0, missing: [] };
        const owners = await ownersOf(client, config, options);
        for await (const lines of readLines(file)) await countLines(client, owners, lines, result);
        const { known, gone, missing } = result;
        if (options.json) printJson(result);
        else {
          process.stdout.write(missing.map((key) => `${key}\n`).join(''));
          process.stderr.write(`${known} known, ${gone} erased, ${missing.length} missing\n`);
        }
        if (missing.length > 0) process.exitCode = EXIT.failed;
      }),
    );
}

/** The clients that look up a key if its line names no tenant: one for each tenant that is searched. */
async function ownersOf(client: BestframeClient, config: Config, options: Options): Promise<BestframeClient[]> {
  if (options.tenant !== undefined) return options.tenant.split(',').map((name) => client.forTenant(name.trim()));
  if (!options.allTenants) return [client];
  const keys = new ApiKeys(config.redis, config.prefix);
  try {
    const tenants = new Set((await keys.list()).map(({ tenant }) => tenant));
    return [client, ...[...tenants].map((tenant) => client.forTenant(tenant))];
  } finally {
    await keys.close();
  }
}

async function countLines(
  client: BestframeClient,
  owners: readonly BestframeClient[],
  lines: readonly Line[],
  result: Result,
): Promise<void> {
  const asked = lines.flatMap(({ key, tenant }, line) =>
    (tenant === null ? owners : [client.forTenant(tenant)]).map((owner) => ({ line, id: owner.idOf(key) })),
  );
  const presence = await client.presence(asked.map(({ id }) => id));
  const statuses = lines.map((): string[] => []);
  for (const [index, { line }] of asked.entries()) statuses[line]?.push(presence[index]?.status ?? 'missing');
  for (const [index, { key }] of lines.entries()) {
    const found = statuses[index]?.filter((status) => status !== 'missing') ?? [];
    if (found.length === 0) result.missing.push(key);
    else result[found.every((status) => status === 'erased') ? 'gone' : 'known'] += 1;
  }
}

async function* readLines(file: string): AsyncGenerator<Line[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let chunk: Line[] = [];
  for await (const text of createInterface({ input })) {
    const line = parseLine(text.trim());
    if (line.key === '') continue;
    chunk.push(line);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** @param text a line of a manifest, or a key. */
function parseLine(text: string): Line {
  if (!text.startsWith('{')) return { key: text, tenant: null };
  try {
    const { key, tenant } = JSON.parse(text) as { key?: unknown; tenant?: unknown };
    return { key: typeof key === 'string' ? key : '', tenant: typeof tenant === 'string' ? tenant : null };
  } catch {
    return { key: text, tenant: null };
  }
}
