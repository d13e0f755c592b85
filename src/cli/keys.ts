import { Argument, Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import type { Audit } from '../audit.ts';
import { ApiKeys } from '../client/api-keys.ts';
import { type Config, readConfig } from '../config.ts';
import { type ApiKey, isUsable, SCOPES, type Scope } from '../domain/api-keys.ts';
import { inputFailure } from '../domain/failure.ts';
import { TENANT } from '../domain/identity.ts';
import { EXIT } from '../process.ts';
import { duration, operator } from './asking.ts';
import { openCommandAudit } from './audited.ts';
import { type Env, printJson, table } from './output.ts';

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

type What = 'list' | 'create' | 'revoke' | 'rotate';

export function keysCommand(env: Env): Command {
  return new Command('keys')
    .addArgument(new Argument('[what]', 'what to do').choices(['list', 'create', 'revoke', 'rotate']).default('list'))
    .argument('[id]', 'of the key, for revoke and rotate')
    .option('--tenant <name>', 'whose verifications it sees: its own and no others', tenant, 'default')
    .option('--scopes <list>', `what it may: ${SCOPES.join(',')}`, scopes, ['submit', 'read', 'frames'])
    .option('--name <text>', 'what it is for, for people', '')
    .option('--per-second <n>', 'its rate, over all API processes', perSecond, 50)
    .option('--expires <duration>', 'its life, e.g. 90d (default: until it is revoked)', duration)
    .option('--overlap <duration>', 'how long the old key goes on, for rotate', duration, 24 * 3_600_000)
    .option('--by <name>', 'who does it (default: the user of this machine)')
    .option('--json', 'JSON on stdout; with create and rotate the key is in `secret`, once')
    .addHelpText(
      'after',
      `
A key is shown once, when it is made: only its hash is kept. It is for the mode of BESTFRAME_MODE.
submit   enqueue and cancel          read     verifications, without pictures
frames   pictures                    operate  held ones, gates, metrics
erase    erasing, and receipts
create, revoke and rotate are written to BESTFRAME_AUDIT (to stderr where that is stdout).`,
    )
    .action(async (what: What, id: string | undefined, options: Options) => {
      const config = readConfig(env);
      const audit = await openCommandAudit(config);
      const keys = new ApiKeys(config.redis, config.prefix);
      try {
        await WHATS[what]({ keys, audit, config, id, options, by: operator(options.by) });
      } finally {
        await keys.close();
        await audit.close();
      }
    });
}

interface Asked {
  readonly keys: ApiKeys;
  readonly audit: Audit;
  readonly config: Config;
  readonly id: string | undefined;
  readonly options: Options;
  readonly by: string;
}

const WHATS: Readonly<Record<What, (asked: Asked) => Promise<void>>> = {
  async list({ keys, options }) {
    const all = await keys.list();
    if (options.json) printJson(all);
    else process.stdout.write(all.length === 0 ? 'there are no keys\n' : inWords(all));
  },

  async create({ keys, audit, config, options, by }) {
    const { tenant, scopes, name, perSecond, expires } = options;
    await audit.write({ act: 'key.create', actor: by, tenant, what: scopes.join(',') });
    const wanted = { tenant, mode: config.mode, scopes, name, perSecond, lifeMs: expires ?? null };
    said(await keys.create(wanted), options);
  },

  async revoke({ keys, audit, id, options, by }) {
    const known = idGiven(id);
    await audit.write({ act: 'key.revoke', actor: by, tenant: null, on: known });
    const key = await keys.revoke(known);
    if (options.json) printJson(key);
    else process.stdout.write(key === null ? NO_KEY : `${known} opens nothing any more\n`);
    if (key === null) process.exitCode = EXIT.failed;
  },

  async rotate({ keys, audit, id, options, by }) {
    const known = idGiven(id);
    await audit.write({ act: 'key.rotate', actor: by, tenant: null, on: known });
    const made = await keys.rotate(known, options.overlap);
    if (made !== null) return said(made, options);
    if (options.json) printJson(null);
    else process.stdout.write(NO_KEY);
    process.exitCode = EXIT.failed;
  },
};

const NO_KEY = 'there is no such key, or it opens nothing any more\n';

function said({ key, secret }: { key: ApiKey; secret: string }, { json }: Options): void {
  if (json) printJson({ ...key, secret });
  else process.stdout.write(`${inWords([key])}\n${pc.bold(secret)}\nIt is not shown again.\n`);
}

function inWords(keys: readonly ApiKey[]): string {
  const now = Date.now();
  const rows = keys.map((key) => [
    key.id,
    key.mode,
    key.tenant,
    key.scopes.join(','),
    String(key.perSecond),
    isUsable(key, now) ? (key.expiresAt ?? 'no end') : pc.red(key.revokedAt === null ? 'expired' : 'revoked'),
    key.lastUsedAt ?? '–',
    key.name,
  ]);
  return table(['id', 'mode', 'tenant', 'scopes', 'a second', 'until', 'last used', 'name'], rows);
}

function idGiven(id: string | undefined): string {
  if (id !== undefined) return id;
  throw inputFailure(
    'INVALID_VERIFICATION',
    'id',
    'id is missing: give the id of the key; `bestframe keys` lists them',
  );
}

function tenant(text: string): string {
  if (TENANT.test(text)) return text;
  throw new InvalidArgumentError('write small letters, digits and "-", up to 40, a letter or digit at both ends');
}

function scopes(text: string): Scope[] {
  const given = text.split(',').map((word) => word.trim());
  const unknown = given.find((word) => !SCOPES.some((scope) => scope === word));
  if (unknown !== undefined) throw new InvalidArgumentError(`"${unknown}" is none: use ${SCOPES.join(',')}`);
  return SCOPES.filter((scope) => given.includes(scope));
}

function perSecond(text: string): number {
  const rate = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && rate > 0 && rate <= 100_000) return rate;
  throw new InvalidArgumentError('write a number above 0');
}
