import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Failure, inputFailure, redact } from '../../../src/domain/failure.ts';

const LINK =
  'https://faces-1250000000.cos.ap-singapore.myqcloud.com/bestframe%2Fv1%2F0%2Fimage?q-sign-algorithm=sha1&q-signature=abc';

describe('redact', () => {
  it('cuts links down to a word and leaves the rest', () => {
    expect(redact(`GET ${LINK} answered 403`)).toBe('GET <link> answered 403');
    expect(redact(`"${LINK}", '${LINK}' <${LINK}>`)).toBe('"<link>", \'<link>\' <<link>>');
    expect(redact('HTTP://HOST.EXAMPLE/P twice http://host.example')).toBe('<link> twice <link>');
    expect(redact('invalid resourceUrl')).toBe('invalid resourceUrl');
  });

  it('leaves no link behind, wherever it stands', () => {
    fc.assert(
      fc.property(fc.string(), fc.webUrl({ withQueryParameters: true }), fc.string(), (before, url, after) => {
        expect(redact(`${before} ${url} ${after}`)).not.toContain(url);
      }),
    );
  });
});

describe('Failure', () => {
  const facts = { service: 'faceid', channel: 'error', code: 'InternalError', sent: 'answered' } as const;

  it('carries its facts, and no link in its message, JSON or text', () => {
    const failure = new Failure({ ...facts, requestId: 'r-1', httpStatus: 200 }, `cannot read ${LINK}`);
    expect(failure).toMatchObject({ ...facts, requestId: 'r-1', httpStatus: 200 });
    expect(failure.message).toBe('cannot read <link>');
    expect(`${failure} ${JSON.stringify(failure)} ${failure.stack}`).not.toContain('q-signature');
    expect(failure).toBeInstanceOf(Error);
  });

  it('says which field of the input is at fault, and that nothing was sent', () => {
    expect(inputFailure('INVALID_VERIFICATION', 'key', 'key is empty')).toMatchObject({
      service: 'bestframe',
      channel: 'local',
      code: 'INVALID_VERIFICATION',
      sent: 'no',
      field: 'key',
    });
  });
});
