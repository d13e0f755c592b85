import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Argument, Command } from 'commander';
import type { Audit } from '../../adapters/audit.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import type { Tenants } from '../../client/redis/tenants.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { NO_GRANTS, parseTenantFile, type TenantRecord } from '../../domain/operations/tenants.ts';
import { openCommandAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

interface Options {
  by?: string;
  json?: boolean;
}

const OPERATION_NAMES = ['list', 'show', 'set', 'remove'] as const;
type OperationName = (typeof OPERATION_NAMES)[number];

export function tenantsCommand(env: Env): Command {
  return new Command('tenants')
    .addArgument(new Argument('[operation]', 'what to do').choices(OPERATION_NAMES).default('list'))
    .argument('[target]', 'with show and remove: name of the tenant; with set: a JSON file, - reads stdin')
    .option(...BY_OPTION)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
list    shows the stored policies
show    prints the policy of a tenant, as set reads it
set     stores the policy in a file: {"tenant": "acme", "version": 2, "policy": {"read": [{"prefix": "acme/"}]}}
remove  removes a policy; the tenant may then use only its own prefix

With "version", set stores the policy only if nobody has changed it since. A change takes effect within a second, also for
verifications that wait. docs/tenants.md describes the fields. set and remove are written to BESTFRAME_AUDIT (stderr replaces stdout).`,
    )
    .action((operation: OperationName, target: string | undefined, options: Options) =>
      withClient(env, async ({ tenants }, config) => {
        const audit = await openCommandAudit(config);
        try {
          const invocation = { tenants, audit, target, options, by: operatorName(options.by) };
          process.exitCode = await OPERATIONS[operation](invocation);
        } finally {
          await audit.close();
        }
      }),
    );
}

interface Invocation {
  readonly tenants: Tenants;
  readonly audit: Audit;
  readonly target: string | undefined;
  readonly options: Options;
  readonly by: string;
}

/** The operations by name. Each returns the exit code. */
const OPERATIONS: Readonly<Record<OperationName, (invocation: Invocation) => Promise<number>>> = {
  async list({ tenants, options }) {
    const all = await tenants.list();
    printResult(
      all,
      all.length === 0 ? 'no policies: every tenant may use its own prefix\n' : formatTenants(all),
      options,
    );
    return EXIT.ok;
  },

  async show({ tenants, target, options }) {
    const tenant = required(target, 'the name of a tenant');
    const found = await tenants.get(tenant);
    const { version, policy } = found ?? { version: 0, policy: NO_GRANTS };
    const file = { tenant, version, policy };
    printResult(found ?? file, `${JSON.stringify(file, null, 2)}\n`, options);
    return EXIT.ok;
  },

  async set({ tenants, audit, target, options, by }) {
    const file = parseTenantFile(await readJson(required(target, 'a file')));
    await audit.write({ act: 'tenant.change', actor: by, tenant: file.tenant, what: 'set' });
    const stored = await tenants.set(file, { by });
    printResult(stored, `${stored.tenant}: version ${stored.version} is stored\n`, options);
    return EXIT.ok;
  },

  async remove({ tenants, audit, target, options, by }) {
    const tenant = required(target, 'the name of a tenant');
    await audit.write({ act: 'tenant.change', actor: by, tenant, what: 'remove' });
    const status = await tenants.remove(tenant);
    printResult({ tenant, status }, status === 'ok' ? 'removed\n' : 'there is no policy for this tenant\n', options);
    return status === 'ok' ? EXIT.ok : EXIT.failed;
  },
};

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await (file === '-' ? text(process.stdin) : readFile(file, 'utf8')));
  } catch (error) {
    const problem =
      error instanceof SyntaxError ? 'is not JSON: print one with `bestframe tenants show`' : 'cannot be read';
    throw inputFailure(CODES.INVALID_TENANT, 'file', `the file ${problem}`);
  }
}

function required(target: string | undefined, what: string): string {
  if (target !== undefined) return target;
  throw inputFailure(CODES.INVALID_TENANT, 'target', `target is missing: give ${what}`);
}

function formatTenants(records: readonly TenantRecord[]): string {
  const rows = records.map(({ tenant, version, policy, changedAt, by }) => [
    tenant,
    String(version),
    String(policy.read.length),
    String(policy.write.length),
    String(policy.fileRoots.length),
    String(policy.httpsHosts.length),
    changedAt,
    by,
  ]);
  return formatTable(['tenant', 'version', 'read', 'write', 'folders', 'hosts', 'changed', 'by'], rows);
}
