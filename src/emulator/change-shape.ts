/** Changes the shape of FaceID's answer for a `shape` fault, as if Tencent had renamed, removed or retyped fields. */
import type { Fault } from './faults.ts';

type ShapeFault = Extract<Fault, { kind: 'shape' }>;
type Fields = Record<string, unknown>;

/** @param body FaceID's answer as JSON. */
export function changeShape(body: string, { move = {}, remove = [], set = {} }: ShapeFault): Buffer {
  const { Response: fields } = JSON.parse(body) as { Response: Fields };
  for (const [from, to] of Object.entries(move)) write(fields, to, takeOut(fields, from));
  for (const path of remove) takeOut(fields, path);
  for (const [path, value] of Object.entries(set)) write(fields, path, value);
  return Buffer.from(JSON.stringify({ Response: fields }));
}

/** Deletes a field. @returns its value. */
function takeOut(fields: Fields, path: string): unknown {
  const [holder, name] = find(fields, path);
  const value = holder[name];
  delete holder[name];
  return value;
}

function write(fields: Fields, path: string, value: unknown): void {
  const [holder, name] = find(fields, path);
  holder[name] = value;
}

/** The object that holds the last field of the path. Objects on the way that do not exist are created. */
function find(fields: Fields, path: string): [holder: Fields, name: string] {
  const names = path.split('.');
  const last = names.pop() ?? '';
  let holder = fields;
  for (const name of names) {
    const next = holder[name];
    holder[name] = next !== null && typeof next === 'object' ? next : {};
    holder = holder[name] as Fields;
  }
  return [holder, last];
}
