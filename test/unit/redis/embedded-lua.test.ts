/** Tests that the scripts embedded in lua.ts match the .lua files, and that each script names its keys and arguments. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LUA } from '../../../src/redis/scripts/lua.ts';
import { loadScript, SCRIPT_NAMES } from '../../../src/redis/scripts/run.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

it('lua.ts is up to date (after a change: npm run build)', async () => {
  // The path is computed so that the type checker does not look for types of a build script.
  const { embeddedLua } = (await import(join(ROOT, 'scripts', 'embed-lua.mjs'))) as { embeddedLua(): string };
  expect(readFileSync(join(ROOT, 'src', 'redis', 'scripts', 'lua.ts'), 'utf8')).toBe(embeddedLua());
});

it.each(SCRIPT_NAMES)('%s has as many keys as its header says, and uses no numbered KEYS or ARGV', (name) => {
  const { text } = loadScript(name);
  const [keys = ''] = text.split('\n');
  expect(keys.split(' = ')[0]?.split(', ')).toHaveLength(LUA[name].keys.length);
  expect(text.match(/\b(?:KEYS|ARGV)\[/g)).toBeNull();
});
