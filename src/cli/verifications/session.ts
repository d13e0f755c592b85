import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { EXIT } from '../../app/exit-codes.ts';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { SessionRequest } from '../../domain/verification/session-request.ts';
import type { Env } from '../env.ts';
import { NOT_FOUND } from '../format-verification.ts';
import { parseSeconds } from '../parse-options.ts';
import { printResult } from '../print.ts';
import { withClient } from '../with-client.ts';

export function sessionCommand(env: Env): Command {
  const command = new Command('session');
  addStart(command, env);
  addFinished(command, env);
  return command;
}

function addStart(parent: Command, env: Env): void {
  parent
    .command('start')
    .summary('start a session, and print its token')
    .argument('<file>', 'the request as JSON, as POST /v1/sessions accepts it; - reads it from standard input')
    .option('--wait <seconds>', 'how long to wait for the token', parseSeconds, 30)
    .option('--json', 'print JSON: {id, key, status, state, token, url, serverParamInfo, startBy}')
    .addHelpText(
      'after',
      `
The same request prints the same token until the session ends. Exit code 1: there is no token yet, or no longer; bestframe get
says why.`,
    )
    .action((file: string, options: { wait: number; json?: boolean }) =>
      withClient(env, async (client) => {
        const started = await client.startSession(await readRequest(file), { timeoutMs: options.wait * 1_000 });
        const { id, state, token, url, serverParamInfo, startBy } = started;
        const lines =
          token === null
            ? ['no token']
            : [
                `token    ${token}`,
                ...(url === null ? [] : [`page     ${url}`]),
                ...(serverParamInfo === null ? [] : [`server   ${serverParamInfo}`]),
              ];
        const until = startBy === null ? [] : [`start by ${startBy}`];
        printResult(started, `${[`${id}  ${state}`, ...lines, ...until].join('\n')}\n`, options);
        if (token === null) process.exitCode = EXIT.failed;
      }),
    );
}

const TEXTS = {
  asked: 'the result is asked for now\n',
  early: 'the session has no token yet\n',
  decided: 'the session is decided\n',
  ended: 'the session has ended\n',
  no_session: 'the verification is no session\n',
  missing: NOT_FOUND,
} as const;

function addFinished(parent: Command, env: Env): void {
  parent
    .command('finished')
    .summary('report that the person has finished')
    .argument('<id>', 'id of the session')
    .option('--json', 'print JSON: {id, status}')
    .action((id: string, options: { json?: boolean }) =>
      withClient(env, async (client) => {
        const status = await client.finishSession(id);
        printResult({ id, status }, TEXTS[status], options);
        if (status === 'missing' || status === 'no_session') process.exitCode = EXIT.failed;
      }),
    );
}

async function readRequest(file: string): Promise<SessionRequest> {
  const content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8').catch(() => null);
  if (content === null)
    throw inputFailure(CODES.SOURCE_MISSING, 'file', 'the file with the request cannot be read: give another path');
  try {
    return JSON.parse(content) as SessionRequest;
  } catch {
    throw inputFailure(CODES.INVALID_VERIFICATION, 'file', 'the request is not JSON: correct it');
  }
}
