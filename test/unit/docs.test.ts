/**
 * Checks the documentation: links resolve, examples compile and parse, and the settings, scripts and commands that
 * pages name exist.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_SOURCE_REDIRECTS } from '../../src/adapters/http/transport.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import { buildRequest } from '../../src/cli/verifications/build-request.ts';
import { readManifest } from '../../src/cli/verifications/read-manifest.ts';
import { parseVerification } from '../../src/domain/verification/request.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const MAP = 'docs/README.md';
const RUNBOOK = 'docs/operations/README.md';

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => posix.join('docs', name.replaceAll('\\', '/')))
    .sort(),
];

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** Returns the contents of a page's code blocks in one language. */
function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );
}

/** Returns the targets of a page's links and images, except those inside code. */
function targets(page: string): string[] {
  const prose = read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^()\s]+)\)|(?:src|href)="([^"]+)"/g)].map(
    ([, link, attribute]) => link ?? attribute ?? '',
  );
}

/** Returns the anchors that GitHub derives from a page's headings. */
function anchors(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Returns the pages that a page links to, as paths from the root. */
function linkedPages(page: string): string[] {
  return targets(page).map((target) => posix.join(dirname(page), target.split('#')[0] ?? ''));
}

function broken(page: string, target: string): boolean {
  if (/^(?:https:|mailto:)/.test(target)) return false;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : posix.join(dirname(page), path);
  if (!existsSync(join(ROOT, file))) return true;
  return anchor !== undefined && !anchors(file).includes(anchor);
}

describe.each(PAGES)('%s', (page) => {
  it('has no broken link or image', () => {
    expect(targets(page).filter((target) => broken(page, target))).toEqual([]);
  });

  it('names only settings that exist', () => {
    const named = [...read(page).matchAll(/\b((?:BESTFRAME|TENCENTCLOUD)_[A-Z_]*)(\*?)/g)];
    const unknown = named.filter(([, name = '', more]) =>
      more === '*' || name.endsWith('_')
        ? !Object.keys(SETTINGS).some((known) => known.startsWith(name))
        : !(name in SETTINGS),
    );
    expect(unknown.map(([text]) => text)).toEqual([]);
  });

  it('names only scripts of package.json that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/npm run ([a-z]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('the rules for https sources', () => {
  it('are the ones of the transport', () => {
    expect(read('docs/integration.md')).toContain(`at most ${MAX_SOURCE_REDIRECTS} redirects, each to an https URL`);
  });
});

describe('code examples', () => {
  it('in TypeScript compile, with the examples of each page as one module', () => {
    const home = join(ROOT, '.bestframe');
    mkdirSync(home, { recursive: true });
    const dir = mkdtempSync(join(home, 'docs-'));
    try {
      const index = ['../../src/index.ts'];
      const http = ['../../src/client/http/index.ts'];
      const options = { paths: { bestframe: index, 'bestframe-client': index, 'bestframe-client/http': http } };
      writeFileSync(
        join(dir, 'tsconfig.json'),
        JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: options, include: ['.'] }),
      );
      const pages = PAGES.filter((page) => blocks(page, 'ts').length > 0);
      expect(pages).toContain('README.md');
      for (const page of pages)
        writeFileSync(join(dir, `${page.replaceAll('/', '-')}.ts`), blocks(page, 'ts').join('\n'));
      const { stdout, status } = spawnSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['--noEmit', '-p', dir], {
        encoding: 'utf8',
      });
      expect(stdout).toBe('');
      expect(status).toBe(0);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('in the README have at most ten lines', () => {
    const [example = '', ...others] = blocks('README.md', 'ts');
    expect(others).toEqual([]);
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  });

  it('of manifests parse and are accepted', async () => {
    const home = join(ROOT, '.bestframe');
    mkdirSync(home, { recursive: true });
    const dir = mkdtempSync(join(home, 'docs-'));
    try {
      const [jsonl = ''] = blocks('docs/integration.md', 'jsonl');
      const [csv = ''] = blocks('docs/integration.md', 'csv');
      writeFileSync(join(dir, 'checks.jsonl'), jsonl);
      writeFileSync(join(dir, 'checks.csv'), csv);
      const lines = await readManifest(join(dir, 'checks.jsonl'), (row) => ({ ...row }));
      expect(lines.length).toBeGreaterThan(0);
      for (const { request, error } of lines) {
        expect(error).toBeNull();
        const defaults = { region: 'ap-singapore', upload: 'own-bucket' };
        expect(() => parseVerification({ ...defaults, ...request })).not.toThrow();
      }
      const defaults = { region: 'ap-singapore', upload: 'own-bucket' };
      const rows = await readManifest(join(dir, 'checks.csv'), (row) => buildRequest(row, defaults));
      expect(rows.length).toBeGreaterThan(0);
      for (const { request, error } of rows) {
        expect(error).toBeNull();
        expect(() => parseVerification(request)).not.toThrow();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

it('docs/commands.md lists exactly the existing commands', () => {
  const files = readdirSync(join(ROOT, 'src', 'cli'), { recursive: true, encoding: 'utf8' });
  const commands = files
    .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
    .flatMap((file) =>
      [...read(`src/cli/${file}`).matchAll(/new Command\('([a-z-]+)'\)/g)].map(([, name = '']) => name),
    );
  const rows = [...read('docs/commands.md').matchAll(/^\| `bestframe ([a-z-]+)(?:[^|\\]|\\.)*\|/gm)].map(
    ([, name = '']) => name,
  );
  expect([...new Set(rows)].sort()).toEqual(commands.sort());
});

it('the README links to the map, and the map links to every other page, to those of the runbook through its index', () => {
  expect(linkedPages('README.md')).toContain(MAP);
  const linked = [...linkedPages(MAP), ...linkedPages(RUNBOOK)];
  expect(PAGES.filter((page) => page !== MAP && !linked.includes(page))).toEqual([]);
});
