/** Tests that the folders of the domain depend on each other in one direction only, and that imports form no cycle. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const DOMAIN = join(import.meta.dirname, '../../../src/domain');
/** A folder may import from itself and from the folders listed before it. */
const LAYERS = ['errors', 'verification', 'operations'];

const FILES = readdirSync(DOMAIN, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts'));

const IMPORTS = new Map(FILES.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(join(DOMAIN, file), 'utf8');
  return [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path = '']) => posix.join(posix.dirname(file), path));
}

function layerOf(file: string): number {
  return LAYERS.indexOf(posix.dirname(file));
}

/** @returns every file that `file` imports, directly or indirectly */
function reachableFrom(file: string): Set<string> {
  const reached = new Set<string>();
  const pending = [...(IMPORTS.get(file) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (reached.has(next)) continue;
    reached.add(next);
    pending.push(...(IMPORTS.get(next) ?? []));
  }
  return reached;
}

describe('the domain', () => {
  it('has files in each layer', () => {
    expect([...new Set(FILES.map(layerOf))].sort()).toEqual([-1, 0, 1, 2]);
  });

  it.each(LAYERS)('%s imports no later layer', (layer) => {
    const wrong = FILES.filter((file) => posix.dirname(file) === layer).flatMap((file) =>
      (IMPORTS.get(file) ?? [])
        .filter((target) => layerOf(target) > layerOf(file))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no import cycle', () => {
    expect(FILES.filter((file) => reachableFrom(file).has(file))).toEqual([]);
  });
});
