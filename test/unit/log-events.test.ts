/** Compares the events of docs/logs.md with those that the code logs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const SRC = join(ROOT, 'src');
/** What runs only on a developer's machine. */
const LOCAL = /^(?:emulator|dev)\//;
/** A call of a logger, up to its end. */
const LOG_CALL = /\b(?:#?log|logger)(?:\.(?:debug|info|warn|error)|\[[^\]]*\])\((.*?)\);/gs;
const EVENT = /\bevent: '([a-z_]+)'/g;
/** Names that the code puts together. */
const COMPUTED = { budget_warned: 'budget_', budget_spent: 'budget_' } as const;

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !LOCAL.test(file))
  .map((file) => readFileSync(join(SRC, file), 'utf8'));

function documented(): string[] {
  const [, table = ''] = readFileSync(join(ROOT, 'docs', 'logs.md'), 'utf8').split('\n## Events\n');
  const rows = [...table.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, names = '']) => names);
  return rows
    .flatMap((names) => [...names.matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name))
    .filter((name) => name !== 'event');
}

it('every logged event is documented', () => {
  const calls = sources.flatMap((text) => [...text.matchAll(LOG_CALL)].map(([, inside = '']) => inside));
  const logged = new Set(calls.flatMap((inside) => [...inside.matchAll(EVENT)].map(([, name = '']) => name)));
  expect(logged.size).toBeGreaterThan(30);
  const known = documented();
  expect([...logged].filter((name) => !known.includes(name))).toEqual([]);
});

it('every documented event is in the code, once in the table', () => {
  const names = documented();
  expect(names).toEqual([...new Set(names)]);
  const text = sources.join('\n');
  const written = (name: string) => COMPUTED[name as keyof typeof COMPUTED] ?? `'${name}'`;
  expect(names.filter((name) => !text.includes(written(name)))).toEqual([]);
});
