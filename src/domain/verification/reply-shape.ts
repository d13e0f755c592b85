/**
 * Compares a reply of the vendor with the documented shape. Fields that Tencent does not document are ignored. A documented field
 * whose shape is not the documented one is counted and reported, and never treated as absent.
 *
 * What must hold: a `ShapeTrouble` contains names of fields and types, and no value of the reply.
 */
import { type FieldKind, type OutputRule, VENDOR_CALLS, type VendorCall, type VendorCallName } from './vendor-calls.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** How a reply differs from the documented shape. */
export interface ShapeTrouble {
  /** Documented fields whose shape is not the documented one. @example ['BestFrame.Url'] */
  readonly fields: readonly string[];
  /** The whole reply as field names and types, without values. @example '{Result:string,BestFrame:{Link:string}}' */
  readonly shape: string;
}

/** A reply that was compared with its documented shape. */
export interface CheckedReply {
  readonly trouble: ShapeTrouble | null;
  /** False if a field that the reply must have (`needed`) is absent or does not have the documented shape. */
  readonly usable: boolean;
  /**
   * False if the fields with the frame's link and MD5 have an undocumented shape, or are missing in a reply that must have them.
   */
  readonly frameReadable: boolean;
  /** The value of a field (`Result`, `BestFrame.Url`); null if it is absent or empty, or does not have the documented shape. */
  text(path: string): string | null;
  number(path: string): number | null;
  /** The values of a text field of each object in a list. Empty if the list is absent, or does not have the documented shape. */
  texts(list: string, field: string): readonly string[];
}

export function checkReply(call: VendorCallName, reply: unknown): CheckedReply {
  const { outputs, needed, frame }: VendorCall = VENDOR_CALLS[call];
  const fields = isObject(reply) ? reply : {};
  const wrong = new Set(Object.entries(outputs).flatMap(([name, rule]) => wrongFields(name, rule, fields[name])));
  const framePaths = frame === undefined ? [] : 'base64' in frame ? [frame.base64] : [frame.link, frame.md5];
  const [pathToFrame] = framePaths;
  const hasLink = pathToFrame !== undefined && !isAbsent(valueAt(fields, pathToFrame));
  // A successful answer has the fields of the frame, even if they are empty. If it has none, Tencent renamed or moved them.
  const mustHaveFrame = fields.Result === 'Success' || hasLink;
  for (const path of framePaths) if (isMissing(fields, path, mustHaveFrame)) wrong.add(path);
  const value = (path: string) => {
    const found = valueAt(fields, path);
    return wrong.has(path) || isAbsent(found) ? null : found;
  };
  return {
    trouble: wrong.size === 0 ? null : { fields: [...wrong].sort(), shape: describeShape(reply) },
    usable: needed.every((name) => value(name) !== null),
    frameReadable: framePaths.every((path) => !wrong.has(path) && !wrong.has(fieldOf(path))),
    text: (path) => value(path) as string | null,
    number: (path) => value(path) as number | null,
    texts(list, field) {
      const isWrong = [...wrong].some((path) => path === list || path.startsWith(`${list}[`));
      const items = (isWrong ? null : value(list)) as readonly JsonObject[] | null;
      return (items ?? []).flatMap((item) => (isAbsent(item[field]) ? [] : [item[field] as string]));
    },
  };
}

/** Names of the documented fields whose shape in `value` is not the documented one. */
function wrongFields(name: string, rule: OutputRule, value: unknown): string[] {
  if (isAbsent(value)) return [];
  if (typeof rule === 'string') return isOfKind(rule, value) ? [] : [name];
  if (isList(rule)) {
    const [itemRule] = rule;
    if (!Array.isArray(value)) return [name];
    return value.flatMap((item) => (isAbsent(item) ? [`${name}[]`] : wrongFields(`${name}[]`, itemRule, item)));
  }
  if (!isObject(value)) return [name];
  return Object.entries(rule).flatMap(([inner, kind]) => wrongFields(`${name}.${inner}`, kind, value[inner]));
}

function isList(rule: OutputRule): rule is readonly [OutputRule] {
  return Array.isArray(rule);
}

const MD5 = /^[0-9a-f]{32}$/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function isOfKind(kind: FieldKind, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'link':
      return typeof value === 'string' && value.startsWith('https://') && URL.canParse(value);
    case 'md5':
      return typeof value === 'string' && MD5.test(value);
    case 'base64':
      return typeof value === 'string' && value.length % 4 === 0 && BASE64.test(value);
    case 'percent':
      return typeof value === 'number' && value >= 0 && value <= 100;
    case 'number':
      return typeof value === 'number';
    case 'integer':
      return Number.isSafeInteger(value) && (value as number) > 0;
  }
}

/** Tencent writes null or an empty string for a field that has no value. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isObject(value: unknown): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** The outer field of a path: `BestFrame` for `BestFrame.Url`. */
function fieldOf(path: string): string {
  return path.split('.', 1)[0] ?? '';
}

function valueAt(fields: JsonObject, path: string): unknown {
  const [name = '', inner] = path.split('.');
  const value = fields[name];
  if (inner === undefined) return value;
  return isObject(value) ? value[inner] : undefined;
}

/**
 * Whether a field is absent. A field that is null is not absent. An object that is present must have all its documented fields.
 */
function isMissing(fields: JsonObject, path: string, mustHaveField: boolean): boolean {
  const field = fieldOf(path);
  if (!(field in fields)) return mustHaveField;
  return isObject(fields[field]) && valueAt(fields, path) === undefined;
}

const MAX_DEPTH = 4;
const MAX_FIELDS = 40;
const MAX_CHARS = 600;
/** The form of a field name. A name of another form is hidden, because it may be a value. */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9]{0,39}$/;

/** A JSON value as field names and types. */
export function describeShape(value: unknown): string {
  return shapeOf(value, MAX_DEPTH).slice(0, MAX_CHARS);
}

function shapeOf(value: unknown, depth: number): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 || depth === 0 ? '[]' : `[${shapeOf(value[0], depth - 1)}]`;
  if (!isObject(value)) return typeof value;
  if (depth === 0) return '{}';
  const fields = Object.entries(value).slice(0, MAX_FIELDS);
  return `{${fields.map(([name, inner]) => `${FIELD_NAME.test(name) ? name : '?'}:${shapeOf(inner, depth - 1)}`).join(',')}}`;
}
