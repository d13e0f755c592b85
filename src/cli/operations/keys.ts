import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Argument, Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import type { Audit } from '../../adapters/audit.ts';
import { type Config, readConfig } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import { AccessBackup } from '../../client/redis/access-backup.ts';
import { ApiKeys } from '../../client/redis/api-keys.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { type ApiKey, isUsable, SCOPES, type Scope } from '../../domain/operations/api-keys.ts';
import { TENANT_PATTERN } from '../../domain/verification/names.ts';
import { openCommandAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { parseDuration } from '../parse-options.ts';
import { printResult } from '../print.ts';

interface Options {
  tenant: string;
  scopes: Scope[];
  name: string;
  perSecond: number;
  expires?: number;
  overlap: number;
  by?: string;
  json?: boolean;
}

const OPERATION_NAMES = ['list', 'create', 'revoke', 'rotate', 'export', 'import'] as const;
type OperationName = (typeof OPERATION_NAMES)[number];

export function keysCommand(env: Env): Command {
  return new Command('keys')
    .addArgument(new Argument('[operation]', 'what to do').choices(OPERATION_NAMES).default('list'))
    .argument('[id]', 'with revoke and rotate: id of the key; with import: the file, - reads stdin')
    .option('--tenant <name>', 'tenant whose verifications the key can access', parseTenant, 'default')
    .option('--scopes <list>', `permissions of the key: ${SCOPES.join(',')}`, parseScopes, ['submit', 'read', 'frames'])
    .option('--name <text>', 'description of the key', '')
    .option('--per-second <n>', 'requests per second, over all API processes', parseRate, 50)
    .option('--expires <duration>', 'lifetime of the key, e.g. 90d (default: until it is revoked)', parseDuration)
    .option('--overlap <duration>', 'with rotate: how long the old key stays valid', parseDuration, 24 * 3_600_000)
    .option(...BY_OPTION)
    .option('--json', 'print JSON; create and rotate return the key once, as `secret`')
    .addHelpText(
      'after',
      `
A key is shown once, when it is created: only its hash is stored. It is valid for the mode in BESTFRAME_MODE. Scopes:
submit   enqueue and cancel verifications
read     read verifications, without pictures
frames   read pictures
operate  held verifications, gates, metrics
erase    erase verifications, read receipts
export prints all usable keys (as hashes) and registered webhooks (with secrets), sealed by BESTFRAME_KEY_RING. import adds those that
are missing, after Redis was lost: callers keep their keys. Everything is written to BESTFRAME_AUDIT (stderr replaces stdout).`,
    )
    .action(async (operation: OperationName, id: string | undefined, options: Options) => {
      const config = readConfig(env);
      const audit = await openCommandAudit(config);
      const keys = new ApiKeys(config.redis, config.prefix);
      try {
        await OPERATIONS[operation]({ keys, audit, config, id, options, by: operatorName(options.by) });
      } finally {
        await keys.close();
        await audit.close();
      }
    });
}

interface Invocation {
  readonly keys: ApiKeys;
  readonly audit: Audit;
  readonly config: Config;
  readonly id: string | undefined;
  readonly options: Options;
  readonly by: string;
}

const OPERATIONS: Readonly<Record<OperationName, (invocation: Invocation) => Promise<void>>> = {
  async list({ keys, audit, options, by }) {
    await audit.write({ act: 'key.list', actor: by, tenant: null });
    const all = await keys.list();
    printResult(all, all.length === 0 ? 'there are no keys\n' : formatKeys(all), options);
  },

  async create({ keys, audit, config, options, by }) {
    const { tenant, scopes, name, perSecond, expires } = options;
    await audit.write({ act: 'key.create', actor: by, tenant, what: scopes.join(',') });
    const lifeMs = expires ?? null;
    printCreated(await keys.create({ tenant, mode: config.mode, scopes, name, perSecond, lifeMs }), options);
  },

  async export({ audit, config, by }) {
    const backup = new AccessBackup(config);
    try {
      const { text, keys, webhooks } = await backup.export();
      await audit.write({ act: 'key.export', actor: by, tenant: null, what: `${keys} keys, ${webhooks} webhooks` });
      process.stdout.write(`${text}\n`);
    } finally {
      await backup.close();
    }
  },

  async import({ audit, config, id: file = '-', options, by }) {
    const backup = new AccessBackup(config);
    try {
      const given = await text(file === '-' ? process.stdin : createReadStream(file));
      await audit.write({ act: 'key.import', actor: by, tenant: null });
      const added = await backup.import(given);
      printResult(added, `added ${added.keys} keys and ${added.webhooks} webhooks\n`, options);
    } finally {
      await backup.close();
    }
  },

  async revoke({ keys, audit, id, options, by }) {
    const keyId = requireId(id);
    await audit.write({ act: 'key.revoke', actor: by, tenant: null, on: keyId });
    const key = await keys.revoke(keyId);
    printResult(key, key === null ? NO_KEY : `${keyId} is revoked\n`, options);
    if (key === null) process.exitCode = EXIT.failed;
  },

  async rotate({ keys, audit, id, options, by }) {
    const keyId = requireId(id);
    await audit.write({ act: 'key.rotate', actor: by, tenant: null, on: keyId });
    const created = await keys.rotate(keyId, options.overlap);
    if (created !== null) return printCreated(created, options);
    printResult(null, NO_KEY, options);
    process.exitCode = EXIT.failed;
  },
};

const NO_KEY = 'no such key, or it is not valid any more\n';

function printCreated({ key, secret }: { key: ApiKey; secret: string }, options: Options): void {
  const text = `${formatKeys([key])}\n${pc.bold(secret)}\nStore this key now: it is not shown again.\n`;
  printResult({ ...key, secret }, text, options);
}

function formatKeys(keys: readonly ApiKey[]): string {
  const now = Date.now();
  const rows = keys.map((key) => [
    key.id,
    key.mode,
    key.tenant,
    key.scopes.join(','),
    String(key.perSecond),
    isUsable(key, now) ? (key.expiresAt ?? 'no expiry') : pc.red(key.revokedAt === null ? 'expired' : 'revoked'),
    key.lastUsedAt ?? '–',
    key.name,
  ]);
  return formatTable(['id', 'mode', 'tenant', 'scopes', 'per second', 'valid until', 'last used', 'name'], rows);
}

function requireId(id: string | undefined): string {
  if (id !== undefined) return id;
  const message = 'id is missing: give the id of the key; `bestframe keys` lists them';
  throw inputFailure('INVALID_VERIFICATION', 'id', message);
}

function parseTenant(text: string): string {
  if (TENANT_PATTERN.test(text)) return text;
  const format = 'lower-case letters, digits and "-", up to 40, with a letter or digit at both ends';
  throw new InvalidArgumentError(`Write ${format}.`);
}

function parseScopes(text: string): Scope[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !SCOPES.some((scope) => scope === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`"${unknown}" is not a scope: use one or more of ${SCOPES.join(',')}.`);
  return SCOPES.filter((scope) => names.includes(scope));
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && rate > 0 && rate <= 100_000) return rate;
  throw new InvalidArgumentError('Write a number above 0, up to 100,000.');
}
