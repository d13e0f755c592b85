/** Tests how `runChecks` orders checks, applies their needs and reports errors, and how a report is counted. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createReport, formatReport } from '../../../../src/app/doctor/report.ts';
import { type Check, type Finding, runChecks } from '../../../../src/app/doctor/run-checks.ts';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import { CODES } from '../../../../src/domain/errors/index.ts';

const finds = (status: Finding['status']) => async (): Promise<Finding> => ({ status, found: status });
const throws = (error: unknown) => async () => Promise.reject(error);
const statuses = async (checks: readonly Check[]) => (await runChecks(checks)).map(({ status }) => status);

describe('runChecks', () => {
  it('skips every check that depends on a failed one, and says why', async () => {
    const results = await runChecks([
      { name: 'a', run: finds('fail') },
      { name: 'b', needs: ['a'], run: throws(new Error('it was run')) },
      { name: 'c', needs: ['b'], run: throws(new Error('it was run')) },
      { name: 'd', run: finds('ok') },
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fail', 'skipped', 'skipped', 'ok']);
    expect(results.map(({ found }) => found).slice(1, 3)).toEqual([
      'not checked: a failed',
      'not checked: b was skipped',
    ]);
  });

  it('runs a check if the check it needs only warned, or if the check it follows failed', async () => {
    expect(
      await statuses([
        { name: 'a', run: finds('warn') },
        { name: 'b', needs: ['a'], run: finds('fail') },
        { name: 'c', after: ['b'], run: finds('ok') },
      ]),
    ).toEqual(['warn', 'fail', 'ok']);
  });

  it('starts a check after those it must follow, and keeps the order of results', async () => {
    const ended: string[] = [];
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const run = (name: string, before: Promise<void>) => async (): Promise<Finding> => {
      await before;
      ended.push(name);
      return { status: 'ok', found: name };
    };
    const results = await runChecks([
      { name: 'slow', run: run('slow', gate) },
      { name: 'later', after: ['slow'], run: run('later', Promise.resolve()) },
      {
        name: 'quick',
        run: async () => {
          ended.push('quick');
          release();
          return { status: 'ok', found: 'quick' };
        },
      },
    ]);
    expect(ended).toEqual(['quick', 'slow', 'later']);
    expect(results.map(({ name }) => name)).toEqual(['slow', 'later', 'quick']);
  });

  it('reports an error as a failed check, with code, RequestId and advice', async () => {
    const facts = {
      service: 'cos',
      channel: 'error',
      code: 'AccessDenied',
      sent: 'answered',
      requestId: 'R-1',
    } as const;
    const [failure, system, other] = await runChecks([
      { name: 'a', run: throws(new Failure(facts, 'Access Denied. https://secret.example.com/?q-sign=x')) },
      { name: 'b', run: throws(Object.assign(new Error('open /faces/1'), { code: 'EACCES' })) },
      { name: 'c', run: throws('a text') },
    ]);
    expect(failure).toMatchObject({ status: 'fail', found: 'AccessDenied: Access Denied. <link> (RequestId R-1)' });
    expect(failure?.advice).toEqual(expect.any(String));
    expect(system?.found).toBe('an error in this program or on this machine (EACCES)');
    expect(other?.status).toBe('fail');
  });

  it('aborts the signal of a check at its time limit', async () => {
    const [result] = await runChecks([
      {
        name: 'a',
        limitMs: 1,
        run: (signal) =>
          new Promise((_, reject) => {
            const facts = { service: 'http', channel: 'local', code: CODES.TIMEOUT, sent: 'no' } as const;
            signal.addEventListener('abort', () => reject(new Failure(facts, 'too slow')));
          }),
      },
    ]);
    expect(result).toMatchObject({ status: 'fail', found: 'TIMEOUT: too slow' });
  });

  it('refuses a check that needs one listed after it', async () => {
    const misordered: Check[] = [{ name: 'a', needs: ['b'], run: finds('ok') }];
    await expect(runChecks(misordered)).rejects.toThrow('no check b');
  });
});

describe('the report', () => {
  const check = (name: string, status: Finding['status'], advice: string | null = null) => ({
    name,
    status,
    found: `found ${name}`,
    advice,
  });

  it('is not ok if a check fails, and is ok if one warns or is skipped', () => {
    expect(createReport([check('a', 'ok'), check('b', 'warn'), check('c', 'skipped')]).ok).toBe(true);
    expect(createReport([check('a', 'ok'), check('b', 'fail')]).ok).toBe(false);
  });

  it('has a line per check, the advice below it, and the counts', () => {
    const text = formatReport(createReport([check('a', 'ok'), check('long.name', 'fail', 'Do this.')]));
    expect(stripVTControlCharacters(text)).toBe(
      [
        'ok       a          found a',
        'fail     long.name  found long.name',
        '                    → Do this.',
        '',
        '1 ok, 0 warned, 1 failed, 0 skipped',
        '',
      ].join('\n'),
    );
  });
});
