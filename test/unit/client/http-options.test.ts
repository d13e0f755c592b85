/**
 * Tests that the constructor of the HTTP client reports an invalid option by name, without repeating the option's
 * value.
 */
import { describe, expect, it } from 'vitest';
import { createToken } from '../../../src/domain/operations/api-keys.ts';
import { BestframeHttpClient, type HttpClientOptions } from '../../../src/index.ts';

const KEY = createToken('test').secret;
const URL_OPTION = 'https://bestframe.internal';

/** Constructs the client without type checks, as a JavaScript caller could. */
function construct(options: unknown): BestframeHttpClient {
  return new BestframeHttpClient(options as HttpClientOptions);
}

function failureOf(options: unknown): unknown {
  try {
    construct(options);
  } catch (error) {
    return error;
  }
  return expect.fail('the client was constructed');
}

describe('a missing option is named', () => {
  it.each<[what: string, options: unknown, option: string, message: RegExp]>([
    ['no options', undefined, 'url', /^url is missing: give the address of the HTTP API/],
    ['null', null, 'url', /^url is missing/],
    ['no url', { key: KEY }, 'url', /^url is missing/],
    ['an undefined url', { url: undefined, key: KEY }, 'url', /^url is missing/],
    ['no key', { url: URL_OPTION }, 'key', /^key is missing: give an API key, which the operator of Bestframe makes/],
    ['an undefined key', { url: URL_OPTION, key: undefined }, 'key', /^key is missing/],
  ])('%s', (_what, options, option, message) => {
    expect(failureOf(options)).toMatchObject({
      name: 'Failure',
      code: 'INVALID_SETTINGS',
      field: option,
      message: expect.stringMatching(message),
    });
  });
});

describe('an invalid option is named, and its value is not repeated', () => {
  it.each<[what: string, options: unknown, option: string]>([
    ['a url that is not a string', { url: { secret: 1 }, key: KEY }, 'url'],
    ['a url without a scheme', { url: 'secret:8080', key: KEY }, 'url'],
    ['a url with a password', { url: 'https://user:secret@host', key: KEY }, 'url'],
    ['a url with a query', { url: 'https://host/?token=secret', key: KEY }, 'url'],
    ['a key that is not a string', { url: URL_OPTION, key: 42 }, 'key'],
    ['a key of another form', { url: URL_OPTION, key: 'secret' }, 'key'],
    ['a key with a header in it', { url: URL_OPTION, key: `${KEY}\r\nsecret: x` }, 'key'],
  ])('%s', (_what, options, option) => {
    const failure = failureOf(options);
    expect(failure).toMatchObject({ code: 'INVALID_SETTINGS', field: option });
    expect(String(failure)).not.toContain('secret');
  });
});

it('the client opens no connection before its first request', async () => {
  const client = construct({ url: `${URL_OPTION}/`, key: KEY });
  await client.close();
  await expect(client.get('v0')).rejects.toMatchObject({ code: 'API_UNAVAILABLE', message: /closed/ });
});

describe('an address without TLS', () => {
  it.each(['http://bestframe.internal', 'http://10.0.0.7:8080', 'http://127.0.0.1.example.com'])(
    '%s is refused',
    (url) => {
      expect(failureOf({ url, key: KEY })).toMatchObject({ code: 'INVALID_SETTINGS', field: 'url' });
      expect(construct({ url, key: KEY, allowPlainHttp: true })).toBeInstanceOf(BestframeHttpClient);
    },
  );

  it.each(['http://localhost:3000', 'http://127.0.0.1:3000', 'http://[::1]:3000'])(
    '%s stays on this machine',
    (url) => {
      expect(construct({ url, key: KEY })).toBeInstanceOf(BestframeHttpClient);
    },
  );
});
