/** Compares the alerts, their test cases, the dashboards and the runbook with each other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alerts, dashboards, ROOT } from '../support/monitoring-files.ts';

const RUNBOOK = join(ROOT, 'docs', 'operations');

const read = (...path: string[]) => readFileSync(join(ROOT, ...path), 'utf8');

describe.each(alerts())('$name', ({ name, runbook, severity }) => {
  it('has a page with the four parts, which the index lists', () => {
    const page = read(runbook);
    expect(page).toContain(`Alert \`${name}\`, ${severity}.`);
    expect([...page.matchAll(/^## (.*)$/gm)].map(([, head]) => head)).toEqual(['Meaning', 'Look', 'Act', 'Verify']);
    const title = /^# (.*)$/m.exec(page)?.[1];
    const row = `| \`${name}\` | ${severity} | [${title}](${runbook.replace('docs/operations/', '')}) |`;
    expect(read('docs', 'operations', 'README.md')).toContain(row);
  });

  it('has a case in which it fires, and one in which it does not', () => {
    const cases = read('deploy', 'prometheus', 'rules.test.yml').split('alertname: ').slice(1);
    const own = cases.filter((text) => text.startsWith(`${name}\n`));
    expect(own.map((text) => text.includes('exp_alerts: []'))).toEqual([false, true]);
  });
});

it('every page of the runbook belongs to an alert, or is about planning', () => {
  const planning = ['README.md', 'capacity.md', 'disaster-drill.md', 'region-loss.md'];
  const pages = readdirSync(RUNBOOK).filter((name) => !planning.includes(name));
  const named = alerts().map(({ runbook }) => runbook.replace('docs/operations/', ''));
  expect(pages.sort()).toEqual([...new Set(named)].sort());
});

it('dashboards have unique ids, and each panel has a title and a query', () => {
  const all = dashboards();
  expect(all.map(({ file }) => file).sort()).toEqual(
    ['overview', 'redis', 'tenants', 'vendor'].map((name) => `bestframe-${name}.json`),
  );
  expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
  for (const { panels } of all) {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, targets } of panels) {
      expect(title).not.toBe('');
      expect(targets.length).toBeGreaterThan(0);
    }
  }
});
