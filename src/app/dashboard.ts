/** Starts the operators' site. */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { openAudit } from '../adapters/audit.ts';
import { OperatorsFile } from '../adapters/operators-file.ts';
import { ApiKeys } from '../client/redis/api-keys.ts';
import { LoginLimiter } from '../client/redis/login-limiter.ts';
import { SiteSessions } from '../client/redis/site-sessions.ts';
import { inputFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';
import type { PlacedLine } from '../domain/operations/audit-report.ts';
import { hashPassword, type Operator } from '../domain/operations/operators.ts';
import { NO_OBSERVER } from '../domain/operations/process-metrics.ts';
import { openEraseQueue } from '../redis/erase-queue.ts';
import { openNotifyQueue } from '../redis/notify-queue.ts';
import { openVerifyQueue } from '../redis/verify-queue.ts';
import { metricsRegistry } from '../server/api/metrics.ts';
import { openSite } from '../server/dashboard/site.ts';
import type { SiteOptions } from '../server/dashboard/site-tools.ts';
import { openStorage } from './adapters.ts';
import { openClient } from './client.ts';
import type { Config } from './config.ts';
import { diagnose } from './doctor/diagnose.ts';
import type { Report } from './doctor/report.ts';
import { openDoctorTools } from './doctor-tools.ts';
import { openRedis } from './redis.ts';
import { type Running, stopOnce } from './running.ts';

export async function openDashboard(
  config: Config,
  log: Logger,
  observer = NO_OBSERVER,
): Promise<Running & { url: string }> {
  const { host, port, identityProxy, sessions: sessionLimits } = config.dashboard;
  const operators = await operatorsOf(config, log);
  const deployment = await openRedis(config);
  const verify = new Map(config.regions.map((region) => [region, openVerifyQueue(deployment, region)] as const));
  const erase = openEraseQueue(deployment);
  const notify = openNotifyQueue(deployment);
  const client = openClient(config);
  const keys = new ApiKeys(config.redis, config.prefix);
  const sessionStore = new SiteSessions(config.redis, config.prefix);
  const limiter = new LoginLimiter(config.redis, config.loginLimits, config.prefix);
  const audit = await openAudit(config.audit);
  const { sink, close: closeSink } = openStorage(config);
  const options: SiteOptions = {
    deployment,
    mode: config.mode,
    queues: { verify, erase, notify },
    client,
    keys,
    audit,
    operators,
    sessionStore,
    limiter,
    sessionLimits,
    edge: config.edge,
    identityProxy,
    limits: config.limits,
    sink,
    observer,
    prices: config.costs.prices,
    auditLines: isFile(config.audit) ? () => readAuditLines(config.audit) : undefined,
    diagnose: () => runDoctor(config),
  };
  const site = await openSite(options, { host, port });
  log.info({ event: 'ready', address: site.url }, `dashboard ready at ${site.url}`);
  return {
    url: site.url,
    deploymentMetrics: async () => metricsRegistry(await client.metrics()),
    stop: stopOnce(async () => {
      await site.close();
      await Promise.all([...verify.values(), erase, notify].map((queue) => queue.close()));
      await client.close();
      await keys.close();
      await sessionStore.close();
      await limiter.close();
      await audit.close();
      await closeSink();
      deployment.redis.disconnect();
      return true;
    }),
  };
}

function isFile(audit: string): boolean {
  return audit !== 'stdout' && audit !== 'stderr';
}

/** The lines of the audit log, oldest first. A log without a file has none yet. */
async function* readAuditLines(file: string): AsyncGenerator<PlacedLine> {
  let number = 0;
  const input = createReadStream(file);
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    yield { at: `${basename(file)}:${number}`, text };
  }
}

/** The checks of `bestframe doctor` that only read. */
async function runDoctor(config: Config): Promise<Report> {
  const tools = openDoctorTools(config);
  try {
    return await diagnose(config, tools, { live: false });
  } finally {
    await tools.close();
  }
}

/**
 * The present operators: those of the settings, then those of the file, which is read again when it changes.
 * @throws Failure INVALID_SETTINGS if nobody could log in: there is no default login.
 */
async function operatorsOf({ dashboard }: Config, log: Logger): Promise<() => readonly Operator[]> {
  const { user, password, operators, usersFile } = dashboard;
  const only: Operator[] =
    user !== undefined && password !== undefined
      ? [{ name: user, roles: ['operator'], password: await hashPassword(password) }]
      : [];
  const own = [...operators, ...only];
  const file =
    usersFile === undefined
      ? null
      : new OperatorsFile(usersFile, ({ message }) =>
          log.error({ event: 'users_file_unusable' }, `${message}; the users that were read last stay`),
        );
  const hasHalfALogin = (user === undefined) !== (password === undefined);
  if (!hasHalfALogin && (own.length > 0 || file !== null)) return () => [...own, ...(file?.operators ?? [])];
  const message =
    'the dashboard needs a login: set BESTFRAME_DASHBOARD_USER and BESTFRAME_DASHBOARD_PASSWORD, BESTFRAME_DASHBOARD_USERS or BESTFRAME_DASHBOARD_USERS_FILE';
  throw inputFailure(CODES.INVALID_SETTINGS, 'dashboard', message);
}
