/**
 * Generates requests from the OpenAPI document and spoils them: values of the wrong type, truncated bodies, and paths
 * with traversal or broken escapes.
 */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { OpenApi } from './http.ts';

export interface BadRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema: Schema;
}

const NASTY = [
  '',
  ' ',
  '..',
  '../../etc/passwd',
  '..%2f..%2fetc%2fpasswd',
  '%00',
  '%',
  '%ff%fe',
  '\u0000',
  '\r\nx-injected: 1',
  '{bestframe}:live',
  '__proto__',
  'constructor',
  'null',
  '-1',
  '1e309',
  '9'.repeat(400),
  '<script>alert(1)</script>',
  "'; DROP TABLE x; --",
  '𝕏'.repeat(200),
  'v'.repeat(5_000),
  'file:///etc/passwd',
  'http://169.254.169.254/',
  'https://127.0.0.1/',
];

const nasty = fc.constantFrom(...NASTY);
/** Yields `arbitrary` in one of ten cases, else `otherwise`. */
function rarely<T, N>(arbitrary: fc.Arbitrary<T>, otherwise: N): fc.Arbitrary<T | N> {
  return fc.oneof({ weight: 1, arbitrary }, { weight: 9, arbitrary: fc.constant(otherwise) });
}

const anything = fc.oneof(nasty, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.integer());

export interface Ground {
  /** Ids of existing verifications. */
  readonly known: readonly string[];
  /** A valid request. */
  readonly good: object;
  readonly secret: string;
}

export function badRequests(document: OpenApi, { known, good, secret }: Ground): fc.Arbitrary<BadRequest> {
  const headers = headersOf(secret);
  const spoiled = Object.entries(document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => {
      const { parameters = [], requestBody } = operation as unknown as Described;
      const schema = requestBody?.content?.['application/json']?.schema;
      const right = schema?.properties?.resources === undefined ? rightBody(schema) : nearly(good);
      return fc.record({
        method: fc.oneof({ weight: 19, arbitrary: fc.constant(verb.toUpperCase()) }, { weight: 1, arbitrary: methods }),
        path: fc.tuple(pathOf(path, known), queryOf(parameters)).map(([at, query]) => `${at}${query}`),
        headers,
        body: ['post', 'put', 'delete'].includes(verb) ? bodyOf(right) : fc.constant({ type: null, bytes: null }),
      });
    }),
  );
  return fc.oneof(...spoiled).map(({ body, headers: sent, ...rest }) => ({
    ...rest,
    headers: body.type === null ? sent : { 'content-type': body.type, ...sent },
    body: body.bytes,
  }));
}

interface Described {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> };
}

const methods = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS');

function pathOf(template: string, known: readonly string[]): fc.Arbitrary<string> {
  const id = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...known) },
    { weight: 2, arbitrary: fc.stringMatching(/^v[0-9a-z]{25}$/) },
    { weight: 2, arbitrary: nasty.map((text) => asPath(text)) },
    { weight: 1, arbitrary: nasty.map((text) => encodeURIComponent(text)) },
    { weight: 1, arbitrary: fc.string().map((text) => encodeURIComponent(text)) },
  );
  return id.map((text) => template.replace('{id}', text));
}

/** Replaces characters that Node refuses in a request line. The tests over a raw socket cover these characters. */
function asPath(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '%0d');
}

function queryOf(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const named = parameters.filter((each) => each.in === 'query');
  const pairs = named.map(({ name, schema }) =>
    fc.option(
      fc
        .oneof({ weight: 2, arbitrary: valueFor(schema, 0) }, { weight: 1, arbitrary: nasty })
        // A valid wait becomes 0, so that the test does not have to wait.
        .map(
          (value) =>
            `${name}=${encodeURIComponent(name === 'wait' && Number(value) > 0 && Number(value) <= 60 ? '0' : String(value))}`,
        ),
      { nil: '' },
    ),
  );
  const unknown = rarely(fc.constantFrom('x=1', 'limit=1&limit=2', '&&&=', '%=%', 'key[]=1', '__proto__[x]=1'), '');
  return fc.tuple(...pairs, unknown).map((all) => {
    const text = all.filter((each) => each !== '').join('&');
    return text === '' ? '' : `?${text}`;
  });
}

function headersOf(secret: string): fc.Arbitrary<Record<string, string>> {
  const value = fc.oneof(nasty, fc.string()).map((text) => text.replace(/[^\x20-\x7e]/g, ''));
  const authorization = fc.oneof(
    { weight: 15, arbitrary: fc.constant(`Bearer ${secret}`) },
    { weight: 1, arbitrary: value },
    { weight: 1, arbitrary: value.map((text) => `Bearer ${text}`) },
  );
  const optional = (arbitrary: fc.Arbitrary<string>) => rarely(arbitrary, undefined);
  return fc
    .record({
      authorization,
      'idempotency-key': optional(value),
      'x-purpose': optional(value),
      'last-event-id': optional(value),
      range: optional(fc.oneof(value, fc.constantFrom('bytes=0-', 'bytes=-1', 'bytes=9-1', 'bytes=999999-'))),
      'if-none-match': optional(value),
      accept: optional(value),
      'content-type': optional(
        fc.oneof(value, fc.constantFrom('text/plain', 'application/xml', 'multipart/form-data')),
      ),
    })
    .map((all) =>
      Object.fromEntries(Object.entries(all).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))),
    );
}

interface Body {
  readonly type: string | null;
  readonly bytes: Buffer | null;
}

const JSON_TYPE = 'application/json';
const BOUNDARY = 'xyzzy';

function rightBody(schema: Schema | undefined): fc.Arbitrary<unknown> {
  return schema === undefined ? fc.constant({}) : valueFor(schema, 0);
}

/** A valid request under one of a few keys. At most one of its fields is spoiled. */
function nearly(good: object): fc.Arbitrary<unknown> {
  const key = fc.integer({ min: 0, max: 60 }).map((index) => `nearly-${index}`);
  const spoiled = fc.option(fc.tuple(fc.constantFrom(...Object.keys(good), 'x', 'deadline', 'metadata'), anything), {
    nil: null,
    freq: 2,
  });
  return fc.tuple(key, fc.integer({ min: 70, max: 71 }), spoiled).map(([named, similarityThreshold, field]) => ({
    ...good,
    key: named,
    similarityThreshold,
    ...(field === null ? {} : { [field[0]]: field[1] }),
  }));
}

function bodyOf(right: fc.Arbitrary<unknown>): fc.Arbitrary<Body> {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value) ?? 'null');
  const json = fc.oneof({ weight: 4, arbitrary: right }, { weight: 1, arbitrary: anything }).map(text);
  return fc.oneof(
    { weight: 6, arbitrary: json.map((bytes) => ({ type: JSON_TYPE, bytes })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(json, fc.nat())
        .map(([bytes, at]) => ({ type: JSON_TYPE, bytes: bytes.subarray(0, at % (bytes.length + 1)) })),
    },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ type: JSON_TYPE, bytes: Buffer.from(bytes) })),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(
          '['.repeat(20_000),
          '{"a":'.repeat(5_000),
          `"${'x'.repeat(100_000)}"`,
          '{"__proto__":{"x":1}}',
          '{"constructor":{"prototype":{}}}',
        )
        .map((each) => ({ type: JSON_TYPE, bytes: Buffer.from(each) })),
    },
    { weight: 2, arbitrary: multipartOf(json) },
    { weight: 1, arbitrary: fc.constant({ type: null, bytes: null }) },
  );
}

function multipartOf(json: fc.Arbitrary<Buffer>): fc.Arbitrary<Body> {
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('verification', 'liveData', 'image', 'video') },
    { weight: 1, arbitrary: nasty.map((text) => text.replace(/[\r\n"]/g, '')) },
  );
  const filename = fc.oneof(
    fc.constant(''),
    fc.constant('; filename="a.jpg"'),
    nasty.map((text) => `; filename="${text.replace(/["]/g, '')}"`),
  );
  const content = fc.oneof(
    json,
    fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
    fc.constant(JPEG),
    fc.constant(GZIP),
  );
  const part = fc
    .tuple(name, filename, content)
    .map(([called, file, bytes]) =>
      Buffer.concat([
        Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="${called}"${file}\r\n\r\n`),
        bytes,
        Buffer.from('\r\n'),
      ]),
    );
  return fc.tuple(fc.array(part, { maxLength: 6 }), fc.option(fc.nat(), { nil: null, freq: 3 })).map(([parts, cut]) => {
    const whole = Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
    const bytes = cut === null ? whole : whole.subarray(0, cut % (whole.length + 1));
    return { type: `multipart/form-data; boundary=${BOUNDARY}`, bytes };
  });
}

const JPEG = Buffer.concat([
  Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0x01, 0xf6]),
  Buffer.alloc(500, 1),
  Buffer.from([0xff, 0xd9]),
]);
const GZIP = gzipSync(Buffer.alloc(500, 2));

/** Yields values that match the schema, and now and then one that does not. */
function valueFor(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: depth === 0 ? 30 : 15, arbitrary: rightOf(schema, depth) },
    { weight: 1, arbitrary: anything },
  );
}

function rightOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return fc.oneof(...choices.map((each) => rightOf(each, depth + 1)));
  switch (schema.type) {
    case 'object':
      return objectOf(schema, depth);
    case 'array':
      return fc.array(valueFor(schema.items ?? {}, depth + 1), { maxLength: 5 });
    case 'integer':
    case 'number':
      return fc.integer({ min: Math.max(schema.minimum ?? -10, -1_000), max: Math.min(schema.maximum ?? 100, 1_000) });
    case 'boolean':
      return fc.boolean();
    case 'string':
      return schema.pattern === undefined ? fc.string({ maxLength: 40 }) : matching(schema.pattern);
    default:
      return anything;
  }
}

function objectOf({ properties = {}, required = [] }: Schema, depth: number): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, valueFor(each, depth + 1)]),
  );
  const whole = fc.record(fields, { requiredKeys: [...required] });
  const more = rarely(fc.tuple(fc.constantFrom('x', '__proto__', 'deadlin', 'toString'), anything), null);
  const less = rarely(fc.constantFrom('', ...required), '');
  return fc.tuple(whole, more, less).map(([object, extra, missing]) => {
    const entries = Object.entries(object).filter(([name]) => name !== missing);
    return Object.fromEntries(extra === null ? entries : [...entries, extra]);
  });
}

/** Yields strings that match the pattern, or any strings if fast-check cannot generate strings for the pattern. */
function matching(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern));
  } catch {
    return fc.string({ maxLength: 40 });
  }
}
