/**
 * Checks which folder may import which. A test fails on an import that the table does not allow, and on an allowed import that no
 * file uses. Type imports count as well, except in the tests of what a program loads.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** Ordered from top to bottom. A folder may import itself and the folders or files listed for it, which are all below it. */
const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  workers: ['src/app'],
  'src/cli': [
    'src/adapters/audit.ts',
    'src/app',
    'src/client',
    'src/dev',
    'src/domain',
    'src/emulator',
    'src/server/api/metrics.ts',
  ],
  'src/dev': ['src/app', 'src/client/redis/api-keys.ts', 'src/domain', 'src/emulator', 'src/redis'],
  // Only this folder may combine adapters with the pipeline.
  'src/app': ['src/adapters', 'src/background', 'src/client', 'src/domain', 'src/pipeline', 'src/redis', 'src/server'],
  'src/server': ['src/adapters/audit.ts', 'src/adapters/storage/staging.ts', 'src/client', 'src/domain', 'src/redis'],
  'src/index.ts': ['src/client', 'src/domain', 'src/redis'],
  // The client checks files and host names through adapters that load no vendor SDK.
  'src/client': [
    'src/adapters/audit.ts',
    'src/adapters/http/address-guard.ts',
    'src/adapters/http/host-list.ts',
    'src/adapters/storage/file-source.ts',
    'src/adapters/tracing.ts',
    'src/domain',
    'src/redis',
  ],
  'src/background': ['src/domain', 'src/pipeline', 'src/redis'],
  'src/pipeline': ['src/domain', 'src/redis'],
  'src/redis': ['src/domain'],
  'src/adapters': ['src/domain'],
  'src/domain': [],
  // The emulator must not share our code, because it would then share our mistakes.
  'src/emulator': [],
};

const ENTRIES = [
  'src/cli/main.ts',
  'src/client/http/index.ts',
  'src/index.ts',
  'workers/all.ts',
  'workers/api.ts',
  'workers/erase.ts',
  'workers/notify.ts',
  'workers/verify.ts',
];

interface Import {
  /** The path of a file from the repository root, or the name of a package. */
  readonly to: string;
  readonly typeOnly: boolean;
  /** Whether the module is loaded with `import()` on demand, and not at start. */
  readonly lazy: boolean;
}

const FILES = ['src', 'workers'].flatMap((dir) =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => posix.join(dir, name.replaceAll('\\', '/'))),
);

const TEXTS = new Map(FILES.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));
const IMPORTS = new Map([...TEXTS].map(([file, text]) => [file, importsOf(file, text)]));

function importsOf(file: string, text: string): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{][^'"`;]*?\sfrom\s+)?'([^']+)'/gm);
  const calls = text.matchAll(/\bimport\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, to = '']) => ({
      to: resolve(file, to),
      typeOnly: type !== undefined,
      lazy: false,
    })),
    ...[...calls].map(([, to = '']) => ({ to: resolve(file, to), typeOnly: false, lazy: true })),
  ];
}

function resolve(file: string, to: string): string {
  return to.startsWith('.') ? posix.join(dirname(file), to) : to;
}

function isOurs(to: string): boolean {
  return to.startsWith('src/') || to.startsWith('workers/');
}

function folderOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'src' ? `${top}/${second}` : top;
}

function isUnder(file: string, place: string): boolean {
  return file === place || file.startsWith(`${place}/`);
}

function mayImport(file: string, to: string): boolean {
  const folder = folderOf(file);
  return folderOf(to) === folder || (ALLOWED_IMPORTS[folder] ?? []).some((allowed) => isUnder(to, allowed));
}

/** Returns the project files that a file imports, including type imports. */
function importedFiles(file: string): string[] {
  return (IMPORTS.get(file) ?? []).filter(({ to }) => isOurs(to)).map(({ to }) => to);
}

/**
 * Returns the project files and packages that are loaded together with `entries`.
 * @param lazy also follows `import()`
 */
function loadedWith(entries: readonly string[], { types = false, lazy = true } = {}): Set<string> {
  const seen = new Set<string>();
  const waiting = [...entries];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const each of IMPORTS.get(next) ?? []) {
      if ((types || !each.typeOnly) && (lazy || !each.lazy)) waiting.push(each.to);
    }
  }
  return seen;
}

/** Returns the first import cycle among the files and those that they import, or an empty list. */
function findCycle(files: readonly string[]): string[] {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const to of importedFiles(file)) {
      const cycle = visit(to, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of files) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** Returns the diagram that docs/architecture.md must contain. */
function diagram(): string {
  const nameOf = (folder: string) => folder.replace(/^src\//, '').replace(/\.ts$/, '');
  const lines = Object.entries(ALLOWED_IMPORTS).flatMap(([folder, targets]) => {
    const folders = [...new Set(targets.map(folderOf))].map(nameOf);
    return folders.length === 0 ? [] : [`  ${nameOf(folder)} --> ${folders.join(' & ')}`];
  });
  return ['```mermaid', 'flowchart TD', ...lines, '```'].join('\n');
}

describe('the import parser', () => {
  it('finds each kind of import, and ignores other text', () => {
    const text = [
      "import { a } from './a.ts';",
      "import type { B } from '../domain/b.ts';",
      'import {',
      '  type C,',
      '  c,',
      "} from './c.ts';",
      "import './d.ts';",
      "import * as e from 'node:e';",
      "export { f } from './f.ts';",
      "export type { G } from './g.ts';",
      "export * from './h.ts';",
      "const i = await import('./i.ts');",
      "export const from = 'nowhere';",
      "// import { j } from './j.ts';",
    ].join('\n');
    expect(importsOf('src/x/y.ts', text).map(({ to, typeOnly }) => `${to}${typeOnly ? ' (type)' : ''}`)).toEqual([
      'src/x/a.ts',
      'src/domain/b.ts (type)',
      'src/x/c.ts',
      'src/x/d.ts',
      'node:e',
      'src/x/f.ts',
      'src/x/g.ts (type)',
      'src/x/h.ts',
      'src/x/i.ts',
    ]);
  });

  it('resolves every import to an existing file', () => {
    expect(FILES.length).toBeGreaterThan(80);
    const nowhere = FILES.flatMap(importedFiles).filter((to) => !existsSync(join(ROOT, to)));
    expect(nowhere).toEqual([]);
  });
});

describe('allowed imports', () => {
  it('are listed for each folder', () => {
    expect([...new Set(FILES.map(folderOf))].sort()).toEqual(Object.keys(ALLOWED_IMPORTS).sort());
  });

  it.each(Object.keys(ALLOWED_IMPORTS))('%s imports only what is allowed', (folder) => {
    const forbidden = FILES.filter((file) => folderOf(file) === folder).flatMap((file) =>
      importedFiles(file)
        .filter((to) => !mayImport(file, to))
        .map((to) => `${file} → ${to}`),
    );
    expect(forbidden).toEqual([]);
  });

  it.each(Object.entries(ALLOWED_IMPORTS))('of %s are all used', (folder, allowed) => {
    const imported = FILES.filter((file) => folderOf(file) === folder).flatMap(importedFiles);
    expect(allowed.filter((place) => !imported.some((to) => isUnder(to, place)))).toEqual([]);
  });

  it('point downward', () => {
    const order = Object.keys(ALLOWED_IMPORTS);
    const upward = Object.entries(ALLOWED_IMPORTS).flatMap(([folder, allowed]) =>
      allowed.filter((to) => order.indexOf(folderOf(to)) <= order.indexOf(folder)).map((to) => `${folder} → ${to}`),
    );
    expect(upward).toEqual([]);
  });

  it('form no cycle between files', () => {
    expect(findCycle(FILES)).toEqual([]);
  });

  it('match the diagram in docs/architecture.md', () => {
    expect(readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8')).toContain(diagram());
  });

  it.each([
    ['src/domain/verification/policy.ts', 'src/redis/names.ts'],
    ['src/redis/names.ts', 'src/pipeline/gate.ts'],
    ['src/client/redis/client.ts', 'src/adapters/storage/index.ts'],
    ['src/client/redis/client.ts', 'src/app/config.ts'],
    ['src/adapters/storage/bucket.ts', 'src/redis/names.ts'],
    ['src/emulator/cos.ts', 'src/domain/verification/actions.ts'],
    ['src/pipeline/attempt.ts', 'src/app/workers.ts'],
    ['src/server/dashboard/site.ts', 'src/app/workers.ts'],
  ])('do not let %s import %s', (file, to) => expect(mayImport(file, to)).toBe(false));
});

describe('Redis', () => {
  it('key names are built only in src/redis', () => {
    const knowing = [...TEXTS].filter(([, text]) =>
      /\bcreateNames\b|\bdeployment\.names\b|\bnames\.(?:journal|history|gate)\(/.test(text),
    );
    expect([...new Set(knowing.map(([file]) => folderOf(file)))]).toEqual(['src/redis']);
  });

  it('scripts each have a typed function in the same folder', () => {
    const folder = join(ROOT, 'src', 'redis', 'scripts');
    const lua = readdirSync(folder).filter((name) => name.endsWith('.lua'));
    expect(lua.length).toBeGreaterThan(20);
    expect(lua.filter((name) => !existsSync(join(folder, name.replace(/\.lua$/, '.ts'))))).toEqual([]);
  });
});

describe('packages', () => {
  const usedUnder = (place: string) =>
    FILES.filter((file) => isUnder(file, place)).flatMap((file) =>
      (IMPORTS.get(file) ?? []).filter(({ to }) => !isOurs(to)).map(({ to }) => to),
    );

  it('used by the domain are zod and Node built-ins', () => {
    expect(usedUnder('src/domain').filter((name) => name !== 'zod' && !name.startsWith('node:'))).toEqual([]);
  });

  it('used by the stages are Node built-ins', () => {
    expect(usedUnder('src/pipeline/stages').filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  it('used by the HTTP client are Node built-ins', () => {
    const loaded = [...loadedWith(['src/client/http/client.ts'])].filter((name) => !isOurs(name));
    expect(loaded.filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  const usersOf = (name: string) =>
    FILES.filter((file) => (IMPORTS.get(file) ?? []).some(({ to }) => to === name || to.startsWith(`${name}/`)));

  it.each([
    ['tencentcloud-sdk-nodejs', ['src/adapters/faceid', 'src/adapters/credentials']],
    ['cos-nodejs-sdk-v5', ['src/adapters/storage']],
    ['undici', ['src/adapters/http']],
    ['commander', ['src/cli']],
    ['fastify', ['src/server']],
    ['@opentelemetry/api', ['src/adapters/tracing.ts', 'src/app/tracing.ts']],
  ])('%s is imported only in %j', (name, places) => {
    const users = usersOf(name);
    for (const place of places) expect(users.some((file) => isUnder(file, place))).toBe(true);
    expect(users.filter((file) => !places.some((place) => isUnder(file, place)))).toEqual([]);
  });
});

describe('loaded code', () => {
  it('of the client includes no vendor SDK and no HTTP library', () => {
    const loaded = [...loadedWith(['src/index.ts'])];
    expect(loaded).toContain('bullmq');
    expect(loaded).toContain('src/adapters/storage/file-source.ts');
    const heavy = loaded.filter((name) => /^(tencentcloud-sdk-nodejs|cos-nodejs-sdk-v5|undici)(\/|$)/.test(name));
    expect(heavy).toEqual([]);
  });

  it('of the HTTP API includes no FaceID SDK and no pipeline before a light sequence is requested', () => {
    const loaded = [...loadedWith(['workers/api.ts'], { lazy: false })];
    expect(loaded).toContain('fastify');
    const heavy = /^(tencentcloud-sdk-nodejs(\/|$)|src\/(pipeline|background|emulator|dev|cli|app\/doctor)\/)/;
    expect(loaded.filter((name) => heavy.test(name))).toEqual([]);
  });

  it('of the workers includes no emulator, demo or doctor', () => {
    const loaded = [...loadedWith(['workers/all.ts'])];
    expect(loaded.some((name) => name.startsWith('tencentcloud-sdk-nodejs/'))).toBe(true);
    expect(loaded.filter((name) => /^src\/(emulator|dev|cli|app\/doctor)\//.test(name))).toEqual([]);
  });

  it('of each process includes the OpenTelemetry SDK only when tracing is switched on', () => {
    const entries = ENTRIES.filter((entry) => entry.startsWith('workers/'));
    const isSdk = (name: string) => name.startsWith('@opentelemetry/') && name !== '@opentelemetry/api';
    expect([...loadedWith(entries)].filter(isSdk)).toHaveLength(4);
    expect([...loadedWith(entries, { lazy: false })].filter(isSdk)).toEqual([]);
  });

  it('of all entries together includes every file', () => {
    const reached = loadedWith(ENTRIES, { types: true });
    expect(FILES.filter((file) => !reached.has(file))).toEqual([]);
    expect(FILES.filter((file) => file.startsWith('workers/')).sort()).toEqual(
      ENTRIES.filter((entry) => entry.startsWith('workers/')),
    );
  });
});
