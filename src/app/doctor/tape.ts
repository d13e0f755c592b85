/**
 * A tape: the calls of `doctor --live` and their answers, as shapes. Two tapes can be compared: one of the real account, and one of
 * the emulator. Pure functions.
 *
 * What must hold: a tape holds names, types, codes and the vendor's fixed words, and no value that belongs to an account: no key,
 * signature, link, id, account number or content.
 */
import { z } from 'zod';
import type { Inspection } from '../../adapters/faceid/index.ts';
import type { TransportResponse } from '../../adapters/http/transport.ts';
import { type Failure, inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { REGIONS } from '../../domain/verification/regions.ts';

/** Field names with the shapes of their values. A field of an object is written `Error.Code`. */
type Shapes = Readonly<Record<string, string>>;

const shapes = z.record(z.string(), z.string());
const tapeShape = z.strictObject({
  format: z.literal(1),
  region: z.enum(REGIONS),
  calls: z.array(
    z.strictObject({
      step: z.string(),
      service: z.enum(['faceid', 'cos']),
      action: z.string(),
      request: shapes,
      /** HTTP status; null if there was no answer. */
      status: z.number().nullable(),
      headers: shapes,
      body: shapes,
    }),
  ),
});

export type Tape = Readonly<z.infer<typeof tapeShape>>;
export type TapeCall = Tape['calls'][number];
export type Recorder = (call: TapeCall) => void;

/** @throws Failure INVALID_TAPE */
export function parseTape(text: string): Tape {
  const parsed = tapeShape.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') || 'the file';
  throw inputFailure(
    CODES.INVALID_TAPE,
    where,
    `${where} is not as in a tape: write one with \`bestframe doctor --tape\``,
  );
}

export function faceIdCall(
  step: string,
  { action, parameters }: { readonly action: string; readonly parameters: Readonly<Record<string, string>> },
  { reply, failure, answer }: Pick<Inspection, 'reply' | 'failure' | 'answer'>,
): TapeCall {
  return {
    step,
    service: 'faceid',
    action,
    request: shapesOf(parameters),
    status: answer?.status ?? null,
    headers: headerShapes(answer?.headers ?? {}),
    body: shapesOf(reply ?? errorBody(failure)),
  };
}

export function cosCall(
  step: string,
  request: { readonly action: string; readonly url: string; readonly headers: Readonly<Record<string, string>> },
  { status, headers }: Pick<TransportResponse, 'status' | 'headers'>,
): TapeCall {
  return {
    step,
    service: 'cos',
    action: request.action,
    request: { link: shapeOf('link', request.url), ...headerShapes(request.headers) },
    status,
    headers: headerShapes(headers),
    body: {},
  };
}

function errorBody(failure: Failure | null): object {
  if (failure === null) return {};
  if (failure.channel === 'local') return { failure: failure.code };
  return { Error: { Code: failure.code, Message: failure.message }, RequestId: failure.requestId };
}

// ── shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Fields whose values are codes or words. The vendor's software chooses them; the owner of an account cannot. */
const WORDS = new Set([
  ...['Code', 'Message', 'Result', 'Description', 'failure', 'TargetAction', 'LivenessType'],
  ...['content-type', 'server', 'cache-control', 'vary', 'accept-ranges', 'content-disposition', 'x-cos-storage-class'],
]);
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;

function shapesOf(value: object, prefix = ''): Shapes {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]): [string, string][] => {
      const path = `${prefix}${name}`;
      if (each === undefined) return [];
      if (each === null || typeof each !== 'object') return [[path, shapeOf(name, each)]];
      const inner = Object.entries(shapesOf(each, `${path}${Array.isArray(each) ? '[]' : ''}.`));
      return [[path, Array.isArray(each) ? 'list' : 'object'], ...inner];
    }),
  );
}

function headerShapes(headers: Readonly<Record<string, unknown>>): Shapes {
  const known = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => [name.toLowerCase(), shapeOf(name.toLowerCase(), String(value))]),
  );
}

function shapeOf(name: string, value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return Number.isInteger(value) ? 'whole number' : 'number';
  if (typeof value !== 'string') return typeof value;
  if (WORDS.has(name)) return plainWords(value);
  if (value === '') return 'empty text';
  if (value.replace(UUID, '') === '') return 'uuid';
  if (/^https?:\/\//.test(value)) return linkShape(value);
  if (/^"?[0-9a-f]{32}"?$/i.test(value)) return value.startsWith('"') ? 'md5 in quotes' : 'md5';
  if (/^[A-Za-z0-9+/]{22}==$/.test(value)) return 'md5 in Base64';
  if (/^\d+$/.test(value)) return 'digits';
  return /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(value) ? 'date' : 'text';
}

/** Replaces whatever may name an account, a person or an object in a text. */
function plainWords(text: string): string {
  return text
    .replace(/https?:\/\/\S+/g, '<link>')
    .replace(UUID, '<uuid>')
    .replace(/\bqcs:[^\s)\]]*/g, '<resource>')
    .replace(/\bAKID\w+/g, '<id>')
    .replace(/\d{5,}/g, '<digits>')
    .slice(0, 200);
}

/** The host, the path and the names of the parameters. Each part of the path that is not a plain word is replaced. */
function linkShape(link: string): string {
  const [, scheme = '', host = '', path = '', query = ''] =
    /^(https?):\/\/([^/?#]+)(\/[^?#]*)?\??(.*)$/.exec(link) ?? [];
  const parts = path.split(/(\/|%2F)/i).map((part) => {
    if (/^(\/|%2F|[A-Za-z]{0,40})$/i.test(part)) return part;
    if (part.replace(UUID, '') === '') return '<uuid>';
    return /^\d+$/.test(part) ? '<digits>' : '<text>';
  });
  const names = query === '' ? [] : query.split('&').map((pair) => pair.split('=')[0] ?? '');
  return `${scheme}://${host.replace(/\d{5,}/g, '<digits>')}${parts.join('')}?${names.join('&')}`;
}

// ── comparison ─────────────────────────────────────────────────────────────────────────────────────────────────────

export interface TapeDifference {
  readonly step: string;
  /** `call`, `status`, or a field of `request`, `headers` or `body`. */
  readonly where: string;
  readonly tape: string;
  readonly emulator: string;
}

const ABSENT = '(absent)';
/** Headers that concern a single connection. Proxies change them on the way. */
const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'transfer-encoding', 'via', 'content-length']);

/**
 * Compares call by call. If a step has several calls, they are compared in order: the third on one tape with the third on the
 * other.
 */
export function compareTapes(tape: Tape, emulator: Tape): TapeDifference[] {
  const numbered = (calls: Tape['calls']) => {
    const seen = new Map<string, number>();
    return new Map(
      calls.map((call) => {
        const count = (seen.get(call.step) ?? 0) + 1;
        seen.set(call.step, count);
        return [`${call.step}#${count}`, call] as const;
      }),
    );
  };
  const [left, right] = [numbered(tape.calls), numbered(emulator.calls)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((name) => {
    const [one, other] = [left.get(name), right.get(name)];
    if (one !== undefined && other !== undefined) return compareCalls(name, one, other);
    const actionOf = (call: TapeCall | undefined) => call?.action ?? ABSENT;
    return [{ step: name, where: 'call', tape: actionOf(one), emulator: actionOf(other) }];
  });
}

function compareCalls(step: string, one: TapeCall, other: TapeCall): TapeDifference[] {
  const fields = (call: TapeCall): Map<string, string> =>
    new Map([
      ['status', String(call.status)],
      ['action', `${call.service} ${call.action}`],
      ...prefixed('request', call.request),
      ...prefixed('headers', call.headers).filter(([name]) => !CONNECTION_HEADERS.has(name.slice('headers.'.length))),
      ...prefixed('body', call.body),
    ]);
  const [left, right] = [fields(one), fields(other)];
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((where) => {
    const [tape, emulator] = [left.get(where) ?? ABSENT, right.get(where) ?? ABSENT];
    return tape === emulator ? [] : [{ step, where, tape, emulator }];
  });
}

function prefixed(prefix: string, values: Shapes): [string, string][] {
  return Object.entries(values).map(([name, value]) => [`${prefix}.${name}`, value]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
