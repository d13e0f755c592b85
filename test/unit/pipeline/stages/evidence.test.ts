/** Tests which failures are charged to the caller, which to the deployment, and which can close a gate. */
import { describe, expect, it } from 'vitest';
import { Failure, type FailureFacts } from '../../../../src/domain/errors/failure.ts';
import { streamConcerning } from '../../../../src/pipeline/stages/evidence.ts';
import { accusesAccount, concerning } from '../../../../src/pipeline/stages/index.ts';
import { readAll } from './stages.ts';

const failure = (facts: Partial<FailureFacts> = {}) =>
  new Failure({ service: 'cos', channel: 'error', sent: 'answered', code: 'AccessDenied', ...facts }, 'denied');
const fails = (error: Error) => async () => {
  throw error;
};
const CALLER = { about: 'caller', dependency: 'source:cos' } as const;
const DEPLOYMENT = { about: 'deployment', dependency: 'cos:put' } as const;

describe('a step', () => {
  it('returns its result, and passes on what is not a Failure', async () => {
    expect(await concerning(DEPLOYMENT, async () => 42)).toBe(42);
    const bug = new TypeError('bug');
    await expect(concerning(DEPLOYMENT, fails(bug))).rejects.toBe(bug);
  });

  it('marks its failure', async () => {
    await expect(concerning(DEPLOYMENT, fails(failure()))).rejects.toMatchObject({
      ...DEPLOYMENT,
      code: 'AccessDenied',
    });
  });

  it('keeps the evidence from nearer the cause', async () => {
    const near = failure({ about: 'caller' });
    await expect(concerning(DEPLOYMENT, fails(near))).rejects.toBe(near);
  });
});

describe('a caller’s object', () => {
  it('is at fault if COS refuses it', async () => {
    await expect(concerning(CALLER, fails(failure()))).rejects.toMatchObject(CALLER);
  });

  it.each([
    ['a code about the keys', failure({ code: 'InvalidAccessKeyId' })],
    ['a code about the clock', failure({ code: 'RequestTimeTooSkewed' })],
    [
      'a fault of the account that was found before the request',
      failure({ channel: 'local', code: 'NO_CREDENTIALS', sent: 'no' }),
    ],
  ])('is not at fault for %s', async (_what, fault) => {
    await expect(concerning(CALLER, fails(fault))).rejects.toBe(fault);
  });

  it('is at fault for a fault of another class, even if the request was not sent', async () => {
    const refused = failure({ channel: 'local', code: 'CONNECT_REFUSED', sent: 'no' });
    await expect(concerning(CALLER, fails(refused))).rejects.toMatchObject(CALLER);
  });

  it('does not excuse the deployment’s own objects', async () => {
    const keys = failure({ code: 'InvalidAccessKeyId' });
    await expect(concerning(DEPLOYMENT, fails(keys))).rejects.toMatchObject(DEPLOYMENT);
  });
});

describe('a stream', () => {
  async function* breaks(error: Error) {
    yield Buffer.from('some');
    throw error;
  }

  it('passes its bytes on', async () => {
    async function* whole() {
      yield Buffer.from('some ');
      yield Buffer.from('bytes');
    }
    expect(await readAll(streamConcerning(CALLER, whole()))).toBe('some bytes');
  });

  it('marks a failure in its middle, and nothing else', async () => {
    await expect(readAll(streamConcerning(CALLER, breaks(failure())))).rejects.toMatchObject(CALLER);
    const bug = new TypeError('bug');
    await expect(readAll(streamConcerning(CALLER, breaks(bug)))).rejects.toBe(bug);
  });
});

it.each([
  ['an answer about the deployment’s account', {}, true],
  ['an answer about a caller’s object', { about: 'caller' }, false],
  ['an answer about nobody in particular', { about: undefined }, false],
  ['no answer', { sent: 'no' }, false],
  ['perhaps no answer', { sent: 'maybe' }, false],
  ['an answer of another class', { code: 'SlowDown' }, false],
] as const)('%s accuses the account: %j %s', (_what, facts, accuses) => {
  expect(accusesAccount(failure({ about: 'deployment', ...facts } as Partial<FailureFacts>))).toBe(accuses);
});
