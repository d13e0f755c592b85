/** Reads the parameters of a FaceID call by their types. Forms carry every value as text, and fields of objects as `Config.Field`. */
import { ApiFailure } from './api-failure.ts';
import type { ParameterType, ParameterTypes } from './faceid-actions.ts';

export type ParameterValue = string | number | boolean | readonly (string | number)[] | Parameters;
export interface Parameters {
  readonly [name: string]: ParameterValue;
}

/** Reads a form's fields: `Config.CheckMode` becomes a field of the object `Config`. */
export function unflatten(fields: Iterable<[string, string]>): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const [path, value] of fields) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let holder = root;
    for (const name of names) {
      const next = Object.hasOwn(holder, name) ? holder[name] : undefined;
      const inner = next !== null && typeof next === 'object' ? (next as Record<string, unknown>) : {};
      Object.defineProperty(holder, name, { value: inner, enumerable: true, configurable: true, writable: true });
      holder = inner;
    }
    Object.defineProperty(holder, last, { value, enumerable: true, configurable: true, writable: true });
  }
  return root;
}

/**
 * @param names the parameters that the action has, or the fields that the object has.
 * @param isText whether the values come from a form.
 * @throws ApiFailure if a parameter is unknown or its value has another type. Null and `''` count as absent.
 */
export function readParameters(
  given: Readonly<Record<string, unknown>>,
  { names, types, isText, prefix = '' }: ReadRule,
): Parameters {
  const present = Object.entries(given).filter(([, value]) => value !== null && value !== '');
  return Object.fromEntries(
    present.map(([name, value]) => {
      const fullName = `${prefix}${name}`;
      if (!names.includes(name))
        throw new ApiFailure('UnknownParameter', `The parameter \`${fullName}\` is not recognized.`);
      return [name, readValue(fullName, value, types?.[name] ?? 'string', isText)];
    }),
  );
}

interface ReadRule {
  readonly names: readonly string[];
  readonly types?: ParameterTypes | undefined;
  readonly isText: boolean;
  readonly prefix?: string;
}

function readValue(name: string, value: unknown, type: ParameterType, isText: boolean): ParameterValue {
  if (typeof type === 'object') {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrongType(name);
    const rule = { names: Object.keys(type), types: type, isText, prefix: `${name}.` };
    return readParameters(value as Record<string, unknown>, rule);
  }
  if (type === 'string[]' || type === 'integer[]') {
    // A form carries an array as `Name.0`, `Name.1`, …
    const items = isText && value !== null && typeof value === 'object' ? Object.values(value) : value;
    if (!Array.isArray(items)) throw wrongType(name);
    const kind = type === 'string[]' ? 'string' : 'integer';
    return items.map((item, index) => readValue(`${name}.${index}`, item, kind, isText) as string | number);
  }
  const simple = isText ? readText(value, type) : value;
  const fits = type === 'integer' ? Number.isSafeInteger(simple) : typeof simple === type;
  if (!fits) throw wrongType(name);
  return simple as string | number | boolean;
}

/** Converts a form's value. One that does not fit the type is returned as it is. */
function readText(value: unknown, type: 'string' | 'integer' | 'boolean'): unknown {
  if (type === 'integer') return /^-?\d+$/.test(String(value)) ? Number(value) : value;
  if (type === 'boolean')
    return value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value;
  return value;
}

function wrongType(name: string): ApiFailure {
  return new ApiFailure('InvalidParameter', `The type of value of parameter \`${name}\` is not correct.`);
}
