/**
 * Which part may know which: an arrow that is not drawn here is a fault. Type imports are arrows too; only the question
 * what a program loads leaves them out.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

/** Beside itself, a part knows these parts or files; all others are named nowhere in it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'src/domain': [],
  'src/stages': ['src/domain'],
  'src/queue': ['src/domain'],
  'src/runtime': ['src/domain', 'src/stages', 'src/queue'],
  // The border looks at files and at names of hosts, and at nothing else out there: the client loads no vendor SDK.
  'src/client': ['src/domain', 'src/queue', 'src/storage/file-source.ts', 'src/transport/lookup.ts'],
  'src/transport': ['src/domain', 'src/tencent', 'src/storage'],
  'src/tencent': ['src/domain', 'src/transport', 'src/storage'],
  'src/storage': ['src/domain', 'src/transport', 'src/tencent'],
  // A stand-in for the vendor that shared our code would share our faults.
  'src/emulator': [],
  // Of the client, what it serves; of storage, where files lie that came over HTTP.
  'src/api': ['src/audit.ts', 'src/client', 'src/domain', 'src/queue', 'src/storage/staging.ts'],
  'src/config.ts': ['src/domain', 'src/queue/names.ts', 'src/queue/redis-url.ts', 'src/queue/seal.ts'],
  'src/audit.ts': ['src/domain'],
  'src/logger.ts': ['src/config.ts'],
  // A client by settings: who only enqueues or asks loads nothing else.
  'src/open-client.ts': ['src/client', 'src/config.ts'],
  'src/composing.ts': ['src/config.ts', 'src/domain', 'src/storage', 'src/tencent/credentials.ts', 'src/transport'],
  // Beside `compose.ts`: a process that serves HTTP loads no SDK of FaceID.
  'src/compose-api.ts': [
    'src/api',
    'src/audit.ts',
    'src/client',
    'src/compose.ts', // for light sequences, when the first one is asked for
    'src/composing.ts',
    'src/config.ts',
    'src/open-client.ts',
    'src/storage',
  ],
  'src/compose.ts': [
    'src/api/site',
    'src/audit.ts',
    'src/client/api-keys.ts',
    'src/composing.ts',
    'src/config.ts',
    'src/open-client.ts',
    'src/doctor/instruments.ts',
    'src/domain',
    'src/queue',
    'src/runtime',
    'src/stages',
    'src/storage',
    'src/tencent',
    'src/transport',
  ],
  // Looks at what the pipeline uses, with what `compose.ts` hands it; of the queue, it knows how to connect.
  'src/doctor': [
    'src/config.ts',
    'src/domain',
    'src/queue/connection.ts',
    'src/storage',
    'src/tencent',
    'src/transport',
  ],
  'src/process.ts': ['src/compose.ts', 'src/config.ts', 'src/domain', 'src/logger.ts'],
  'src/world': [
    'src/client/api-keys.ts',
    'src/compose-api.ts',
    'src/compose.ts',
    'src/config.ts',
    'src/domain',
    'src/emulator',
    'src/logger.ts',
    'src/queue',
  ],
  'src/demo': ['src/cli/output.ts', 'src/compose.ts', 'src/domain', 'src/emulator', 'src/world'],
  'src/cli': [
    'src/api',
    'src/audit.ts',
    'src/client',
    'src/compose-api.ts',
    'src/compose.ts',
    'src/config.ts',
    'src/demo',
    'src/doctor',
    'src/domain',
    'src/emulator',
    'src/open-client.ts',
    'src/process.ts',
    'src/world',
  ],
  'src/index.ts': ['src/client', 'src/domain'],
  workers: ['src/compose-api.ts', 'src/compose.ts', 'src/process.ts'],
};

const ENTRIES = [
  'src/cli/main.ts',
  'src/index.ts',
  'workers/all.ts',
  'workers/api.ts',
  'workers/erase.ts',
  'workers/notify.ts',
  'workers/verify.ts',
];

interface Import {
  /** A file from the root of the repository, or the name of a package. */
  readonly to: string;
  readonly typeOnly: boolean;
  /** When it is needed, and not at start. */
  readonly later: boolean;
}

const FILES = ['src', 'workers'].flatMap((dir) =>
  readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => posix.join(dir, name.replaceAll('\\', '/'))),
);

const IMPORTS = new Map(FILES.map((file) => [file, importsOf(file, readFileSync(join(ROOT, file), 'utf8'))]));

function importsOf(file: string, text: string): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[\w*{][^'"`;]*?\sfrom\s+)?'([^']+)'/gm);
  const calls = text.matchAll(/\bimport\('([^']+)'\)/g);
  return [
    ...[...statements].map(([, type, to = '']) => ({
      to: resolve(file, to),
      typeOnly: type !== undefined,
      later: false,
    })),
    ...[...calls].map(([, to = '']) => ({ to: resolve(file, to), typeOnly: false, later: true })),
  ];
}

function resolve(file: string, to: string): string {
  return to.startsWith('.') ? posix.join(dirname(file), to) : to;
}

function isOurs(to: string): boolean {
  return to.startsWith('src/') || to.startsWith('workers/');
}

function partOf(file: string): string {
  const [top = '', second = ''] = file.split('/');
  return top === 'src' ? `${top}/${second}` : top;
}

function mayKnow(file: string, to: string): boolean {
  const part = partOf(file);
  return partOf(to) === part || (ARROWS[part] ?? []).some((known) => to === known || to.startsWith(`${known}/`));
}

function within(file: string, part: string): boolean {
  return partOf(file) === part;
}

/** Everything that is loaded with a file: ours, and names of packages. @param later what is loaded when it is needed, too */
function loadedWith(entries: readonly string[], types: boolean, later = true): Set<string> {
  const seen = new Set<string>();
  const waiting = [...entries];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const each of IMPORTS.get(next) ?? []) {
      if ((types || !each.typeOnly) && (later || !each.later)) waiting.push(each.to);
    }
  }
  return seen;
}

describe('the reader of imports', () => {
  it('sees each kind of import, and no other text', () => {
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

  it('found the files, and every import leads to one', () => {
    expect(FILES.length).toBeGreaterThan(80);
    const nowhere = [...IMPORTS.values()]
      .flat()
      .filter(({ to }) => isOurs(to) && !existsSync(join(ROOT, to)))
      .map(({ to }) => to);
    expect(nowhere).toEqual([]);
  });
});

describe('arrows', () => {
  it('are drawn for each part', () => {
    expect([...new Set(FILES.map(partOf))].sort()).toEqual(Object.keys(ARROWS).sort());
  });

  it.each(Object.keys(ARROWS))('%s knows only what it may', (part) => {
    const broken = FILES.filter((file) => within(file, part)).flatMap((file) =>
      (IMPORTS.get(file) ?? []).filter(({ to }) => isOurs(to) && !mayKnow(file, to)).map(({ to }) => `${file} → ${to}`),
    );
    expect(broken).toEqual([]);
  });

  it.each([
    ['src/domain/policy.ts', 'src/queue/names.ts'],
    ['src/stages/detect.ts', 'src/runtime/pay.ts'],
    ['src/queue/names.ts', 'src/runtime/gate.ts'],
    ['src/client/client.ts', 'src/storage/index.ts'],
    ['src/client/client.ts', 'src/config.ts'],
    ['src/storage/bucket.ts', 'src/queue/names.ts'],
    ['src/emulator/cos.ts', 'src/domain/actions.ts'],
    ['src/runtime/attempt.ts', 'src/compose.ts'],
    ['src/api/dashboard.ts', 'src/compose.ts'],
    ['src/doctor/diagnose.ts', 'src/compose.ts'],
    ['src/doctor/live-points.ts', 'src/emulator/faceid.ts'],
  ])('would say that %s knows %s', (file, to) => expect(mayKnow(file, to)).toBe(false));

  it('lead to compose.ts from programs only', () => {
    const composed = FILES.filter((file) => (IMPORTS.get(file) ?? []).some(({ to }) => to === 'src/compose.ts'));
    const programs = ['src/cli', 'src/world', 'src/demo', 'src/process.ts', 'src/compose-api.ts', 'workers'];
    expect(composed.filter((file) => !programs.includes(partOf(file)))).toEqual([]);
  });
});

describe('packages', () => {
  const used = (part: string) =>
    FILES.filter((file) => within(file, part)).flatMap((file) =>
      (IMPORTS.get(file) ?? []).filter(({ to }) => !isOurs(to)).map(({ to }) => to),
    );

  it('of the domain are zod and what Node brings', () => {
    expect(used('src/domain').filter((name) => name !== 'zod' && !name.startsWith('node:'))).toEqual([]);
  });

  it('of the stages are what Node brings', () => {
    expect(used('src/stages').filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  const only = (start: string) =>
    FILES.filter((file) => (IMPORTS.get(file) ?? []).some(({ to }) => to === start || to.startsWith(`${start}/`)));

  it.each([
    ['tencentcloud-sdk-nodejs', ['src/tencent']],
    ['cos-nodejs-sdk-v5', ['src/storage']],
    ['undici', ['src/transport']],
    ['commander', ['src/cli']],
    ['fastify', ['src/api']],
  ])('%s is known to %s alone', (name, parts) => {
    expect([...new Set(only(name).map(partOf))]).toEqual(parts);
  });
});

describe('what is loaded', () => {
  it('with the client is no vendor SDK and no HTTP client', () => {
    const loaded = [...loadedWith(['src/index.ts'], false)];
    expect(loaded).toContain('bullmq');
    expect(loaded).toContain('src/storage/file-source.ts');
    const heavy = loaded.filter((name) => /^(tencentcloud-sdk-nodejs|cos-nodejs-sdk-v5|undici)(\/|$)/.test(name));
    expect(heavy).toEqual([]);
  });

  it('with the HTTP API is no SDK of FaceID, and nothing that carries verifications, before a sequence is asked for', () => {
    const loaded = [...loadedWith(['workers/api.ts'], false, false)];
    expect(loaded).toContain('fastify');
    const heavy = /^(tencentcloud-sdk-nodejs(\/|$)|src\/(runtime|stages|emulator|world|demo|doctor|cli)\/)/;
    expect(loaded.filter((name) => heavy.test(name))).toEqual([]);
  });

  it('with the workers is neither emulator nor demo nor doctor', () => {
    const loaded = [...loadedWith(['workers/all.ts'], false)];
    expect(loaded.some((name) => name.startsWith('tencentcloud-sdk-nodejs/'))).toBe(true);
    expect(loaded.filter((name) => /^src\/(emulator|world|demo|doctor|cli)\//.test(name))).toEqual([]);
  });

  it('from any entry leaves no file over', () => {
    const reached = loadedWith(ENTRIES, true);
    expect(FILES.filter((file) => !reached.has(file))).toEqual([]);
    expect(FILES.filter((file) => file.startsWith('workers/')).sort()).toEqual(
      ENTRIES.filter((e) => e.startsWith('w')),
    );
  });
});
