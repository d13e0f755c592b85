/** Tests that every error that the SDK can throw, with any answer, becomes a Failure that can be classified. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallAgent } from '../../../src/adapters/faceid/call-agent.ts';
import { callFailure } from '../../../src/adapters/faceid/call-failures.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { classify, ERROR_CLASSES, failureCode } from '../../../src/domain/errors/index.ts';
import { decideFromFailure } from '../../../src/domain/verification/decision.ts';

interface CallProgress {
  readonly connected: boolean;
  readonly status: number | undefined;
  readonly complete: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Imitates the SDK's exception for an error answer, which carries the vendor's values unchecked. */
function sdkError(code: unknown, message: unknown, requestId: unknown): unknown {
  try {
    return Object.assign(new Error(message as string), { code, requestId });
  } catch (error) {
    return error; // this message cannot be converted to a string
  }
}

function agentAfter({ connected, status, complete, headers }: CallProgress): CallAgent {
  const agent = new CallAgent(new Socket(), { missed: () => false }, () => undefined);
  agent.connected = connected;
  if (status === undefined) return agent;
  agent.response = Object.assign(new IncomingMessage(new Socket()), { statusCode: status, headers, complete });
  return agent;
}

const ANSWERED = { connected: true, status: 200, complete: true, headers: {} };
const anyJson = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue(), fc.constantFrom(undefined, null, '', 0));
const anyThrown = fc.oneof(
  fc.tuple(fc.oneof(anyJson, fc.constantFrom('InternalError', 'AuthFailure.SignatureExpire')), anyJson, anyJson),
  fc.anything(),
);
const anyProgress = fc.record({
  connected: fc.boolean(),
  status: fc.option(fc.oneof(fc.constant(200), fc.integer({ min: 200, max: 599 })), { nil: undefined }),
  complete: fc.boolean(),
  headers: fc.dictionary(fc.constantFrom('date', 'retry-after', 'location'), fc.string()),
}) satisfies fc.Arbitrary<CallProgress>;

describe('every error of a call', () => {
  it('becomes a Failure with a code, a class and a name', () => {
    fc.assert(
      fc.property(anyThrown, anyProgress, fc.boolean(), fc.anything(), (thrown, progress, aborted, reason) => {
        const error = Array.isArray(thrown) ? sdkError(thrown[0], thrown[1], thrown[2]) : thrown;
        const agent = agentAfter(progress);
        const signal = aborted ? AbortSignal.abort(reason) : new AbortController().signal;
        const failure = callFailure(error, agent, signal);
        expect(failure).toBeInstanceOf(Failure);
        expect(typeof failure.code).toBe('string');
        expect(ERROR_CLASSES).toContain(classify(failure).class);
        expect(typeof failureCode(failure)).toBe('string');
        decideFromFailure(failure);
        // If a call got a connection but no answer, the vendor may have executed it.
        if (progress.connected && progress.status === undefined) expect(failure.sent).not.toBe('no');
        if (progress.status !== undefined && progress.status >= 500) expect(failure.sent).toBe('maybe');
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ['a number', 7],
    ['nothing', null],
    ['an object', { Code: 'InternalError' }],
  ])('is a malformed answer if its code is %s', (_case, code) => {
    const failure = callFailure(sdkError(code, 'words', 'r-1'), agentAfter(ANSWERED), new AbortController().signal);
    expect(failure).toMatchObject({ code: 'MALFORMED_REPLY', channel: 'local', sent: 'maybe' });
  });

  it('is an error answer if its code is a string', () => {
    const thrown = sdkError('FailedOperation.LivessDetectFake', 'words', 'r-1');
    const failure = callFailure(thrown, agentAfter(ANSWERED), new AbortController().signal);
    expect(failure).toMatchObject({ code: 'FailedOperation.LivessDetectFake', channel: 'error', sent: 'answered' });
  });
});
