/** Whatever a call through the SDK throws, and whatever came with it, is a Failure that can be classified. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, ERROR_CLASSES, nameOf } from '../../../src/domain/errors/index.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { judgeFailure } from '../../../src/domain/judge.ts';
import { CallAgent } from '../../../src/tencent/call-agent.ts';
import { callFailure } from '../../../src/tencent/failures.ts';

interface Came {
  readonly handed: boolean;
  readonly status: number | undefined;
  readonly complete: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** As the SDK makes it of an error answer: what the vendor wrote is handed on unseen. */
function thrownBySdk(code: unknown, message: unknown, requestId: unknown): unknown {
  try {
    return Object.assign(new Error(message as string), { code, requestId });
  } catch (error) {
    return error; // a message that cannot be made a text
  }
}

function agentThatSaw({ handed, status, complete, headers }: Came): CallAgent {
  const agent = new CallAgent(new Socket(), { missed: () => false }, () => undefined);
  agent.handed = handed;
  if (status === undefined) return agent;
  agent.response = Object.assign(new IncomingMessage(new Socket()), { statusCode: status, headers, complete });
  return agent;
}

const SEEN = { handed: true, status: 200, complete: true, headers: {} };
const anyJson = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue(), fc.constantFrom(undefined, null, '', 0));
const anyThrown = fc.oneof(
  fc.tuple(fc.oneof(anyJson, fc.constantFrom('InternalError', 'AuthFailure.SignatureExpire')), anyJson, anyJson),
  fc.anything(),
);
const anyCame = fc.record({
  handed: fc.boolean(),
  status: fc.option(fc.oneof(fc.constant(200), fc.integer({ min: 200, max: 599 })), { nil: undefined }),
  complete: fc.boolean(),
  headers: fc.dictionary(fc.constantFrom('date', 'retry-after', 'location'), fc.string()),
}) satisfies fc.Arbitrary<Came>;

describe('whatever a call throws', () => {
  it('is a Failure with a code that is a word, a class and a name', () => {
    fc.assert(
      fc.property(anyThrown, anyCame, fc.boolean(), fc.anything(), (thrown, came, aborted, why) => {
        const error = Array.isArray(thrown) ? thrownBySdk(thrown[0], thrown[1], thrown[2]) : thrown;
        const agent = agentThatSaw(came);
        const signal = aborted ? AbortSignal.abort(why) : new AbortController().signal;
        const failure = callFailure(error, agent, signal);
        expect(failure).toBeInstanceOf(Failure);
        expect(typeof failure.code).toBe('string');
        expect(ERROR_CLASSES).toContain(classify(failure).class);
        expect(typeof nameOf(failure)).toBe('string');
        judgeFailure(failure);
        // What was given a connection and not answered may have been done.
        if (came.handed && came.status === undefined) expect(failure.sent).not.toBe('no');
        if (came.status !== undefined && came.status >= 500) expect(failure.sent).toBe('maybe');
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    ['a number', 7],
    ['nothing', null],
    ['an object', { Code: 'InternalError' }],
  ])('is an answer that cannot be read where its code is %s', (_what, code) => {
    const failure = callFailure(thrownBySdk(code, 'words', 'r-1'), agentThatSaw(SEEN), new AbortController().signal);
    expect(failure).toMatchObject({ code: 'MALFORMED_REPLY', channel: 'local', sent: 'maybe' });
  });

  it('is an error answer where its code is a word', () => {
    const thrown = thrownBySdk('FailedOperation.LivessDetectFake', 'words', 'r-1');
    const failure = callFailure(thrown, agentThatSaw(SEEN), new AbortController().signal);
    expect(failure).toMatchObject({ code: 'FailedOperation.LivessDetectFake', channel: 'error', sent: 'answered' });
  });
});
