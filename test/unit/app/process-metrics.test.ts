/** Tests that the metrics of a process are bounded and documented, and that labels hold nothing that a caller chose. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProcessMetrics } from '../../../src/app/process-metrics.ts';
import { writeMetrics } from '../../../src/app/write-metrics.ts';
import { ERROR_TABLE, explain } from '../../../src/domain/errors/index.ts';
import {
  codeLabel,
  HISTOGRAMS,
  isPreflightCatch,
  LABEL_VALUES,
  type LabelName,
  MAX_OPEN_VALUES,
  PROCESS_COUNTERS,
} from '../../../src/domain/operations/process-metrics.ts';

const RULES = [...Object.values(HISTOGRAMS), ...Object.values(PROCESS_COUNTERS)];
/** The most series of one metric. A process reaches only a small part, because most combinations do not occur. */
const MAX_SERIES = 10_000;

function page(): string {
  return readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'metrics.md'), 'utf8');
}

it('docs/metrics.md lists exactly these metrics, with their labels', () => {
  const [, section = ''] = /## A process\n(.*?)\n## /s.exec(page()) ?? [];
  const rows = [...section.matchAll(/^\| `(bestframe_\w+)` \| ([\w, ]*)\|/gm)];
  const documented = rows.map(([, name, labels = '']) => `${name} ${labels.trim()}`.trim());
  const ofMonitor = ['bestframe_process_ready', 'bestframe_redis_usable'];
  const measured = RULES.map(({ name, labels }) => `${name} ${labels.join(', ')}`);
  expect(documented).toEqual([...ofMonitor, ...measured]);
});

describe('the number of series', () => {
  const valuesOf = (label: LabelName) => {
    const values: readonly string[] | 'open' = LABEL_VALUES[label];
    return values === 'open' ? MAX_OPEN_VALUES : values.length + 1;
  };

  // A code has one class, a route one service and few methods: only the larger label of such a pair counts.
  const DEPENDENT: Partial<Record<LabelName, LabelName>> = { class: 'code', service: 'route', method: 'route' };

  it.each(RULES)('of $name is bounded', ({ labels }) => {
    const names: readonly LabelName[] = labels;
    const counted = names.filter(
      (label) => !names.includes(DEPENDENT[label] ?? label) || DEPENDENT[label] === undefined,
    );
    expect(counted.reduce((product, label) => product * valuesOf(label), 1)).toBeLessThan(MAX_SERIES);
  });

  it('does not grow with unknown values, routes or tenants', async () => {
    const { registry, observer } = createProcessMetrics(['acme']);
    for (let index = 0; index < 500; index += 1) {
      const text = `Tom ${index}`;
      observer.count('ended', { region: text, lane: text, state: text, decision: text });
      observer.count('tenantEnded', { tenant: text, state: 'completed', decision: 'match' });
      observer.measure('httpRequest', { service: 'api', method: text, route: `/${text}`, status: text }, 1);
      observer.count('preflightCatches', { stage: 'upload', code: codeLabel(text) });
    }
    observer.count('tenantEnded', { tenant: 'acme', state: 'completed', decision: 'match' });
    const lines = (await writeMetrics([registry], '')).text.split('\n');
    const series = (name: string) => lines.filter((line) => line.startsWith(`${name}{`));
    expect(series('bestframe_ended_total')).toEqual([
      'bestframe_ended_total{region="other",lane="other",state="other",decision="other"} 500',
    ]);
    expect(series('bestframe_tenant_ended_total')).toEqual([
      'bestframe_tenant_ended_total{tenant="acme",state="completed",decision="match"} 1',
    ]);
    expect(series('bestframe_http_request_seconds_count')).toHaveLength(MAX_OPEN_VALUES + 1);
    expect(series('bestframe_preflight_catches_total')).toEqual([
      'bestframe_preflight_catches_total{stage="upload",code="other"} 500',
    ]);
  });
});

describe('the label of a code', () => {
  it('is a listed value for every code of the error table', () => {
    for (const { match, title } of ERROR_TABLE) {
      const code = match.startsWith('/') ? title : match.replace('.*', '.Example');
      if (explain(code) === null) continue; // the title of a message that needs more words
      expect(LABEL_VALUES.code).toContain(codeLabel(code));
    }
  });

  it('is shared by codes with a common prefix, and hides unknown codes', () => {
    expect(codeLabel(null)).toBe('none');
    expect(codeLabel('SOURCE_MISSING')).toBe('SOURCE_MISSING');
    expect(codeLabel('AuthFailure.SomethingNew')).toBe('AuthFailure.*');
    expect(codeLabel('FailedOperation.BrandNew')).toBe('other');
  });
});

it('a preflight catch is a fault of a source or an uploaded object before the paid call', () => {
  expect(isPreflightCatch('upload', 'caller')).toBe(true);
  expect(isPreflightCatch('md5', 'reupload')).toBe(true);
  expect(isPreflightCatch('md5', 'transient')).toBe(false);
  expect(isPreflightCatch('detect', 'caller')).toBe(false);
});

it('durations are recorded in seconds, and none is negative', async () => {
  const { registry, observer } = createProcessMetrics([]);
  observer.measure('stage', { stage: 'md5', result: 'ok' }, 2_500);
  observer.measure('stage', { stage: 'md5', result: 'ok' }, -40); // clocks of two machines differ
  const { text } = await writeMetrics([registry], '');
  expect(text).toContain('bestframe_stage_seconds_sum{stage="md5",result="ok"} 2.5');
  expect(text).toContain('bestframe_stage_seconds_count{stage="md5",result="ok"} 2');
});
