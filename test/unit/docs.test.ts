/** The pages keep their promises: links lead somewhere, examples compile and parse, settings and commands exist. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest } from '../../src/cli/manifest.ts';
import { SETTINGS } from '../../src/config.ts';
import { parseVerification } from '../../src/domain/verification.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => posix.join('docs', name.replaceAll('\\', '/')))
    .sort(),
];

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** The contents of a page's code blocks in one language. */
function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, text = '']) =>
    name === language ? [text] : [],
  );
}

/** Where a page's links and images lead, code left out. */
function targets(page: string): string[] {
  const prose = read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^()\s]+)\)|(?:src|href)="([^"]+)"/g)].map(
    ([, link, attribute]) => link ?? attribute ?? '',
  );
}

/** As GitHub makes them of headings. */
function anchors(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function broken(page: string, target: string): boolean {
  if (/^(?:https:|mailto:)/.test(target)) return false;
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : posix.join(dirname(page), path);
  if (!existsSync(join(ROOT, file))) return true;
  return anchor !== undefined && !anchors(file).includes(anchor);
}

describe.each(PAGES)('%s', (page) => {
  it('has no link or image that leads nowhere', () => {
    expect(targets(page).filter((target) => broken(page, target))).toEqual([]);
  });

  it('names no setting that is not one', () => {
    const named = [...read(page).matchAll(/\b((?:BESTFRAME|TENCENTCLOUD)_[A-Z_]*)(\*?)/g)];
    const unknown = named.filter(([, name = '', more]) =>
      more === '*' || name.endsWith('_')
        ? !Object.keys(SETTINGS).some((known) => known.startsWith(name))
        : !(name in SETTINGS),
    );
    expect(unknown.map(([text]) => text)).toEqual([]);
  });

  it('names no script of package.json that is not one', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/npm run ([a-z]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('examples', () => {
  it('in TypeScript compile, each page as one module', () => {
    const home = join(ROOT, '.bestframe');
    mkdirSync(home, { recursive: true });
    const dir = mkdtempSync(join(home, 'docs-'));
    try {
      const options = { paths: { bestframe: ['../../src/index.ts'] } };
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

  it('of the README are ten lines at most', () => {
    const [example = '', ...others] = blocks('README.md', 'ts');
    expect(others).toEqual([]);
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  });

  it('of manifests are read, and taken', async () => {
    const home = join(ROOT, '.bestframe');
    mkdirSync(home, { recursive: true });
    const dir = mkdtempSync(join(home, 'docs-'));
    try {
      const [jsonl = ''] = blocks('docs/integration.md', 'jsonl');
      const [csv = ''] = blocks('docs/integration.md', 'csv');
      writeFileSync(join(dir, 'checks.jsonl'), jsonl);
      writeFileSync(join(dir, 'checks.csv'), csv);
      const lines = await readManifest(join(dir, 'checks.jsonl'), (row) => row);
      expect(lines.length).toBeGreaterThan(0);
      for (const { request, error } of lines) {
        expect(error).toBeNull();
        const defaults = { region: 'ap-singapore', upload: 'own-bucket' };
        expect(() => parseVerification({ ...defaults, ...request }, Date.now())).not.toThrow();
      }
      const rows = await readManifest(join(dir, 'checks.csv'), (row) => row);
      expect(rows.length).toBeGreaterThan(0);
      const columns = 'key liveData video image action region upload lane similarityThreshold deadline';
      for (const { request, error } of rows) {
        expect(error).toBeNull();
        expect(Object.keys(request ?? {}).filter((name) => !columns.split(' ').includes(name))).toEqual([]);
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('the README', () => {
  it('has each command, and no other', () => {
    const files = readdirSync(join(ROOT, 'src', 'cli')).filter((file) => file !== 'main.ts');
    const commands = files.flatMap((file) =>
      [...read(`src/cli/${file}`).matchAll(/new Command\('([a-z-]+)'\)/g)].map(([, name = '']) => name),
    );
    const rows = [...read('README.md').matchAll(/^\| `bestframe ([a-z-]+)(?:[^|\\]|\\.)*\|/gm)].map(
      ([, name = '']) => name,
    );
    expect([...new Set(rows)].sort()).toEqual(commands.sort());
  });

  it('leads to every page of docs', () => {
    const led = new Set(targets('README.md').map((target) => posix.normalize(target.split('#')[0] ?? '')));
    expect(PAGES.filter((page) => page.startsWith('docs/') && !led.has(page))).toEqual([]);
  });
});
