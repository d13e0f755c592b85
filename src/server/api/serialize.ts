/**
 * Writes answers as JSON.
 *
 * What must hold:
 * 1. An answer contains only the fields that its schema lists.
 * 2. Each value has the type of its schema. Otherwise the request fails.
 *
 * zod checks and copies an answer before it is written, which takes several times as long as writing it. So an answer of plain values
 * is written in one pass. The pass checks types and the words of enumerations, and not the formats of strings. If a value does not
 * fit, zod decides.
 */
import type { FastifySerializerCompiler } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';

/** @returns the JSON of a value; undefined if the value does not have the type of the schema. */
type Write = (value: unknown) => string | undefined;

export const answerSerializer: FastifySerializerCompiler<z.ZodType> = (route) => {
  const check = serializerCompiler(route);
  const write = route.schema instanceof z.ZodType ? writerOf(route.schema) : null;
  return write === null ? check : (answer) => write(answer) ?? check(answer);
};

/** @returns null if the schema has a part that does more than allow plain values. */
function writerOf(schema: z.core.$ZodType): Write | null {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.checks !== undefined && def.type !== 'string' && def.type !== 'number') return null;
  switch (def.type) {
    case 'string':
      return (value) => (typeof value === 'string' ? JSON.stringify(value) : undefined);
    case 'enum': {
      const words = new Map<unknown, string>(Object.values(def.entries).map((word) => [word, JSON.stringify(word)]));
      return (value) => words.get(value);
    }
    case 'number': {
      const isNumber = schema instanceof z.ZodNumberFormat ? Number.isInteger : Number.isFinite;
      return (value) => (isNumber(value) ? String(value) : undefined);
    }
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? String(value) : undefined);
    case 'nullable': {
      const write = writerOf(def.innerType);
      return write && ((value) => (value === null ? 'null' : write(value)));
    }
    case 'readonly':
      return writerOf(def.innerType);
    case 'array': {
      const write = writerOf(def.element);
      return write && ((value) => (Array.isArray(value) ? writeAll(value, write) : undefined));
    }
    case 'record': {
      const write = writerOf(def.valueType);
      return write && ((value) => (isObject(value) ? writeRecord(value, write) : undefined));
    }
    case 'object':
      return def.catchall === undefined ? objectWriter(def.shape) : null;
    default:
      return null;
  }
}

function writeAll(values: readonly unknown[], write: Write): string | undefined {
  let text = '';
  for (const value of values) {
    const written = write(value);
    if (written === undefined) return undefined;
    text += text === '' ? written : `,${written}`;
  }
  return `[${text}]`;
}

function writeRecord(values: Readonly<Record<string, unknown>>, write: Write): string | undefined {
  let text = '';
  for (const name of Object.keys(values)) {
    const written = write(values[name]);
    if (written === undefined) return undefined;
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${written}`;
  }
  return `{${text}}`;
}

function objectWriter(shape: Readonly<Record<string, z.core.$ZodType>>): Write | null {
  const fields: { name: string; start: string; write: Write }[] = [];
  for (const [name, schema] of Object.entries(shape)) {
    const write = writerOf(schema);
    if (write === null) return null;
    fields.push({ name, start: `${fields.length === 0 ? '{' : ','}${JSON.stringify(name)}:`, write });
  }
  if (fields.length === 0) return null;
  return (value) => {
    if (!isObject(value)) return undefined;
    let text = '';
    for (const { name, start, write } of fields) {
      const written = write(value[name]);
      if (written === undefined) return undefined;
      text += start + written;
    }
    return `${text}}`;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
