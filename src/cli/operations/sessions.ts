import { Argument, Command } from 'commander';
import { readConfig } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { formatTable } from '../../app/terminal-format.ts';
import { SiteSessions } from '../../client/redis/site-sessions.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import type { SiteSession } from '../../domain/operations/sessions.ts';
import { openCommandAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printResult } from '../print.ts';

interface Options {
  user?: string;
  all?: boolean;
  by?: string;
  json?: boolean;
}

const OPERATIONS = ['list', 'revoke'] as const;

export function sessionsCommand(env: Env): Command {
  return new Command('sessions')
    .addArgument(new Argument('[operation]', 'what to do').choices(OPERATIONS).default('list'))
    .argument('[id]', 'with revoke: id of the session')
    .option('--user <name>', 'only the sessions of this user')
    .option('--all', 'with revoke: all sessions')
    .option(...BY_OPTION)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A revoked session ends at once, in every process. The user may log in again: to prevent that, remove the user from
BESTFRAME_DASHBOARD_USERS or BESTFRAME_DASHBOARD_USERS_FILE. Each revocation is written to BESTFRAME_AUDIT (stderr replaces stdout).
Exit code 1: there is no such session.`,
    )
    .action(async (operation: (typeof OPERATIONS)[number], id: string | undefined, options: Options) => {
      const config = readConfig(env);
      const store = new SiteSessions(config.redis, config.prefix);
      try {
        const sessions = (await store.list()).filter(({ operator }) => operator === (options.user ?? operator));
        if (operation === 'list') {
          const text = sessions.length === 0 ? 'nobody is logged in\n' : formatSessions(sessions);
          return printResult(sessions, text, options);
        }
        const chosen = chooseSessions(sessions, id, options);
        const audit = await openCommandAudit(config);
        try {
          for (const session of chosen) {
            const actor = operatorName(options.by);
            await audit.write({ act: 'session.end', actor, tenant: null, on: session.id, what: session.operator });
            await store.end(session.id);
          }
        } finally {
          await audit.close();
        }
        printResult(chosen, chosen.length === 0 ? 'no such session\n' : `ended ${chosen.length} sessions\n`, options);
        if (chosen.length === 0) process.exitCode = EXIT.failed;
      } finally {
        await store.close();
      }
    });
}

/** @throws Failure if neither an id, a user nor --all says which sessions end. */
function chooseSessions(
  sessions: readonly SiteSession[],
  id: string | undefined,
  { user, all }: Options,
): readonly SiteSession[] {
  if (id !== undefined) return sessions.filter((each) => each.id === id);
  if (user !== undefined || all === true) return sessions;
  const message = 'id is missing: give the id of a session (`bestframe sessions` lists them), --user or --all';
  throw inputFailure('INVALID_VERIFICATION', 'id', message);
}

function formatSessions(sessions: readonly SiteSession[]): string {
  const rows = sessions.map(({ id, operator, way, address, startedAt, lastSeenAt, endsAt }) => [
    ...[id, operator, way, address, startedAt, lastSeenAt, endsAt],
  ]);
  return formatTable(['id', 'user', 'logged in by', 'address', 'since', 'last seen', 'ends at the latest'], rows);
}
