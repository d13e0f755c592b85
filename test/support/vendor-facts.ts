/**
 * What Tencent documents about the calls that Bestframe makes, from `test/fixtures/vendor`. Product and emulator are
 * each compared with these facts. Neither shares code with this file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

type Model = Readonly<Record<string, string>>;

interface DocumentedCall {
  readonly source: string;
  /** Null: the call needs no region. */
  readonly regions: readonly string[] | null;
  readonly callsPerSecond: number;
  readonly required: readonly string[];
  /** Parameters and outputs that hold a link or an MD5. */
  readonly links: readonly string[];
  readonly md5s: readonly string[];
  /** Parameters and outputs that hold a picture or a video as Base64. Absent: none. */
  readonly base64?: readonly string[];
  /** The accepted values. A field of an object has a name such as `Config.CheckMode`. */
  readonly values: Readonly<Record<string, readonly (string | number)[]>>;
  readonly maxBase64Megabytes: Readonly<Record<string, number>>;
  /** The code for a wrong value. Absent: InvalidParameterValue. */
  readonly invalid?: string;
  /** For a call that issues a token: how long the token waits for its use, and how long its result can be asked for. */
  readonly lifetimes?: { readonly tokenMinutes: number; readonly resultHours: number };
  /** How long links in the answer live. Absent: not documented, or no links. */
  readonly linkMinutes?: number;
}

export interface VendorFacts extends DocumentedCall {
  readonly request: Model;
  /**
   * Outputs by name, with their JSON types. A field of an object has a name such as `BestFrame.Url`, a field of the objects in an
   * array one such as `OCRResult[].IsPass`.
   */
  readonly response: Model;
}

export const VENDOR_FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'vendor');

function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(VENDOR_FIXTURES, name), 'utf8')) as T;
}

type Models = Readonly<Record<string, Model | null>>;
const { models: installed } = readFixture<{ models: Models }>('models.json');
const { models: newest } = readFixture<{ models: Models }>('models-go.json');
const documented = readFixture<{ calls: Record<string, DocumentedCall> }>('documented.json');

/** @throws Error if no SDK has the model: then the facts are incomplete */
function model(name: string): Model {
  const found = newest[name] ?? installed[name];
  if (found === undefined || found === null) throw new Error(`test/fixtures/vendor has no model ${name}`);
  return found;
}

const SIMPLE = /^(?:string|number|boolean)(?:\[\])?$/;

function flatten(fields: Model, prefix = '', find = model): Model {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, type]) => {
      if (SIMPLE.test(type)) return [[`${prefix}${name}`, type]];
      const list = type.endsWith('[]') ? '[]' : '';
      return Object.entries(flatten(find(type.replace('[]', '')), `${prefix}${name}${list}.`, find));
    }),
  );
}

/** The outputs of a call, by name, that the installed npm package knows. Some are newer. */
export function installedOutputs(call: string): readonly string[] {
  const find = (name: string) => installed[name] ?? {};
  return Object.keys(flatten(find(`${call}Response`), '', find));
}

/** The names of an answer's fields that have a value. */
export function filledFields(answer: object): Set<string> {
  return new Set(leavesOf(answer).flatMap(([name, value]) => (value === null || value === '' ? [] : [name])));
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
    const isHolder = (suffix: string) => Object.keys(response).some((field) => field.startsWith(`${name}${suffix}`));
    if (value === null ? isHolder('.') || isHolder('[].') : isEmptyList(value) && isHolder('[].')) continue;
    const type = response[name];
    if (type === undefined) problems.push(`${name} is not documented`);
    else if (value !== null && !hasType(value, type)) problems.push(`${name} is a ${typeof value}, not a ${type}`);
    else if (!isEmpty && links.includes(name) && !HTTPS.test(String(value))) problems.push(`${name} is no https link`);
    else if (!isEmpty && md5s.includes(name) && !MD5.test(String(value))) problems.push(`${name} is no MD5`);
    else if (name === 'Sim' && !(Number(value) >= 0 && Number(value) <= 100)) problems.push('Sim is not from 0 to 100');
  }
  const names = new Set(found.map(([name]) => name));
  const empty = found.flatMap(([name, value]) => (value === null || isEmptyList(value) ? [name] : []));
  for (const name of Object.keys(response)) {
    const isInEmpty = empty.some((holder) => name.startsWith(`${holder}.`) || name.startsWith(`${holder}[].`));
    if (!names.has(name) && !isInEmpty) problems.push(`${name} is missing`);
  }
  return problems;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function hasType(value: unknown, type: string): boolean {
  if (!type.endsWith('[]')) return typeof value === type;
  return Array.isArray(value) && value.every((item) => typeof item === type.replace('[]', ''));
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

/** The values of an answer with their names. Objects in an array have the same names, so a name can occur several times. */
function leavesOf(value: object, prefix = ''): [name: string, value: unknown][] {
  return Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    const path = `${prefix}${name}`;
    if (Array.isArray(inner) && inner.length > 0 && inner.every((item) => item !== null && typeof item === 'object'))
      return inner.flatMap((item) => leavesOf(item as object, `${path}[].`));
    return inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? leavesOf(inner, `${path}.`)
      : [[path, inner]];
  });
}
