import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asFailure, Failure, inputFailure, localFailure, redact } from '../../../src/domain/errors/failure.ts';

const LINK =
  'https://faces-1250000000.cos.ap-singapore.myqcloud.com/bestframe%2Fv1%2F0%2Fimage?q-sign-algorithm=sha1&q-signature=abc';

describe('redact', () => {
  it('replaces links and keeps the rest', () => {
    expect(redact(`GET ${LINK} answered 403`)).toBe('GET <link> answered 403');
    expect(redact(`"${LINK}", '${LINK}' <${LINK}>`)).toBe('"<link>", \'<link>\' <<link>>');
    expect(redact('HTTP://HOST.EXAMPLE/P twice http://host.example')).toBe('<link> twice <link>');
    expect(redact('invalid resourceUrl')).toBe('invalid resourceUrl');
  });

  it('removes every link, wherever it occurs', () => {
    fc.assert(
      fc.property(fc.string(), fc.webUrl({ withQueryParameters: true }), fc.string(), (before, url, after) => {
        expect(redact(`${before} ${url} ${after}`)).not.toContain(url);
      }),
    );
  });
});

describe('Failure', () => {
  const facts = { service: 'faceid', channel: 'error', code: 'InternalError', sent: 'answered' } as const;

  it('carries its facts, and has no link in its message, JSON or text', () => {
    const failure = new Failure({ ...facts, requestId: 'r-1', httpStatus: 200 }, `cannot read ${LINK}`);
    expect(failure).toMatchObject({ ...facts, requestId: 'r-1', httpStatus: 200 });
    expect(failure.message).toBe('cannot read <link>');
    expect(`${failure} ${JSON.stringify(failure)} ${failure.stack}`).not.toContain('q-signature');
    expect(failure).toBeInstanceOf(Error);
  });

  it('gets evidence once: the first comes from nearest the cause', () => {
    const cause = new Error('inner');
    const more = { requestId: 'r-1', httpStatus: 503, field: 'key', retryAfterMs: 5, shape: '{}' };
    const failure = new Failure({ ...facts, ...more }, 'words', { cause });
    const marked = failure.concerning({ about: 'caller', dependency: 'cos:get' });
    expect(marked).not.toBe(failure);
    expect(marked).toMatchObject({
      ...facts,
      ...more,
      about: 'caller',
      dependency: 'cos:get',
      message: 'words',
      cause,
    });
    expect(marked.name).toBe('Failure');
    expect(marked.concerning({ about: 'deployment' })).toBe(marked);
    for (const evidence of [{ about: 'caller' }, { dependency: 'cos:get' }] as const)
      expect(failure.concerning(evidence).concerning({ about: 'deployment', dependency: 'x' })).toMatchObject(evidence);
    const bare = new Failure(facts, 'words').concerning({});
    expect([bare.requestId, bare.httpStatus, bare.about, bare.dependency]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('may be local, with facts of its own', () => {
    const cause = new Error('inner');
    const failure = localFailure('TIMEOUT', 'late', { service: 'cos', sent: 'maybe', requestId: 'r', cause });
    expect(failure).toMatchObject({
      service: 'cos',
      channel: 'local',
      sent: 'maybe',
      code: 'TIMEOUT',
      requestId: 'r',
      cause,
    });
    expect('cause' in localFailure('TIMEOUT', 'late')).toBe(false);
  });

  it('is what every other error becomes: a bug', () => {
    const failure = new Failure(facts, 'words');
    expect(asFailure(failure)).toBe(failure);
    const bug = new TypeError('undefined');
    expect(asFailure(bug)).toMatchObject({
      code: 'INTERNAL',
      channel: 'local',
      message: 'an unexpected error inside Bestframe',
      cause: bug,
    });
  });

  it('names the invalid input field, and states that nothing was sent', () => {
    expect(inputFailure('INVALID_VERIFICATION', 'key', 'key is empty')).toMatchObject({
      service: 'bestframe',
      channel: 'local',
      code: 'INVALID_VERIFICATION',
      sent: 'no',
      field: 'key',
    });
  });
});
