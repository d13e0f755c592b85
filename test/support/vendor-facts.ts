/**
 * What Tencent documents about the calls that Bestframe makes, from `test/fixtures/vendor`. Product and emulator are
 * each compared with these facts. Neither shares code with this file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Model = Readonly<Record<string, string>>;

interface DocumentedCall {
  readonly source: string;
  readonly regions: readonly string[];
  readonly callsPerSecond: number;
  readonly required: readonly string[];
  /** Parameters and outputs that hold a link or an MD5. */
  readonly links: readonly string[];
  readonly md5s: readonly string[];
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly maxBase64Megabytes: Readonly<Record<string, number>>;
}

export interface VendorFacts extends DocumentedCall {
  readonly request: Model;
  /** Outputs by name, with their JSON types. Fields of an object have names such as `BestFrame.Url`. */
  readonly response: Model;
}

export const VENDOR_FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'vendor');

function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(VENDOR_FIXTURES, name), 'utf8')) as T;
}

const { models: extracted } = readFixture<{ models: Record<string, Model | null> }>('models.json');
const documented = readFixture<{
  calls: Record<string, DocumentedCall>;
  models: Record<string, { source: string; fields: Model }>;
}>('documented.json');

/** @throws Error if neither the SDK nor a page has the model: then the facts are incomplete */
function model(name: string): Model {
  const found = extracted[name] ?? documented.models[name]?.fields;
  if (found === undefined) throw new Error(`test/fixtures/vendor has no model ${name}`);
  return found;
}

const SIMPLE = new Set(['string', 'number', 'boolean']);

function flatten(fields: Model, prefix = ''): Model {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, type]) =>
      SIMPLE.has(type) ? [[`${prefix}${name}`, type]] : Object.entries(flatten(model(type), `${prefix}${name}.`)),
    ),
  );
}

export const VENDOR_FACTS: Readonly<Record<string, VendorFacts>> = Object.fromEntries(
  Object.entries(documented.calls).map(([call, facts]) => [
    call,
    { ...facts, request: model(`${call}Request`), response: flatten(model(`${call}Response`)) },
  ]),
);

/** The parameters and outputs of a call of STS, from Tencent's models. */
export function stsModels(call: string): { readonly request: Model; readonly response: Model } {
  return { request: model(`${call}Request`), response: flatten(model(`${call}Response`)) };
}

const HTTPS = /^https:\/\/[^\s]+$/;
const MD5 = /^[0-9a-f]{32}$/;

/** Describes how an answer differs from the documented one. A field without a value is null, or `""` if its type is string. */
export function answerDifferences(call: string, answer: object): string[] {
  const { response, links, md5s } = factsOf(call);
  const found = leavesOf(answer);
  const problems: string[] = [];
  for (const [name, value] of found) {
    const isEmpty = value === null || value === '';
    const isObject = Object.keys(response).some((field) => field.startsWith(`${name}.`));
    if (isObject && value === null) continue;
    const type = response[name];
    if (type === undefined) problems.push(`${name} is not documented`);
    else if (value !== null && typeof value !== type) problems.push(`${name} is a ${typeof value}, not a ${type}`);
    else if (!isEmpty && links.includes(name) && !HTTPS.test(String(value))) problems.push(`${name} is no https link`);
    else if (!isEmpty && md5s.includes(name) && !MD5.test(String(value))) problems.push(`${name} is no MD5`);
    else if (name === 'Sim' && !(Number(value) >= 0 && Number(value) <= 100)) problems.push('Sim is not from 0 to 100');
  }
  for (const name of Object.keys(response)) {
    const holder = name.split('.')[0] ?? '';
    if (!found.has(name) && found.get(holder) !== null) problems.push(`${name} is missing`);
  }
  return problems;
}

/** Describes how the parameters that a validator accepts differ from the documented ones. */
export function parameterDifferences(
  call: string,
  { required, optional }: { readonly required: readonly string[]; readonly optional: readonly string[] },
): string[] {
  const facts = factsOf(call);
  const names = Object.keys(facts.request);
  return [
    ...names.filter((name) => ![...required, ...optional].includes(name)).map((name) => `${name} is missing`),
    ...[...required, ...optional].filter((name) => !names.includes(name)).map((name) => `${name} is not documented`),
    ...required
      .filter((name) => names.includes(name) && !facts.required.includes(name))
      .map((name) => `${name} is optional`),
    ...optional.filter((name) => facts.required.includes(name)).map((name) => `${name} is required`),
  ];
}

export function factsOf(call: string): VendorFacts {
  const facts = VENDOR_FACTS[call];
  if (facts === undefined) throw new Error(`test/fixtures/vendor has no call ${call}`);
  return facts;
}

function leavesOf(value: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(value).flatMap(([name, inner]): [string, unknown][] =>
      inner !== null && typeof inner === 'object' && !Array.isArray(inner)
        ? [...leavesOf(inner, `${prefix}${name}.`)]
        : [[`${prefix}${name}`, inner]],
    ),
  );
}
