/**
 * The first page: one sentence that says whether faces are decided, what needs a person, the last hour or day as charts, gates and
 * services, and the latest verifications.
 */
import type { Metrics } from '../../../domain/operations/metrics.ts';
import { callsIn, ENDS, type MinuteCounts, toPoints } from '../../../domain/operations/series.ts';
import type { Status } from '../../../domain/operations/status.ts';
import type { RecentActivity, Verdict } from '../../../domain/operations/verdict.ts';
import { callsPerSecond, type Limits } from '../../../domain/verification/actions.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html } from '../html.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { remedyIn, titleIn } from './error-words.ts';
import { findingList } from './findings.ts';
import { gateStrip } from './gates.ts';
import { clockTime, layout, live, noticeLine, type Reader } from './layout.ts';
import { overviewCharts } from './overview-charts.ts';
import { verificationTable } from './verification-table.ts';

export interface Overview {
  readonly status: Status & { readonly verdict: Verdict };
  readonly metrics: Metrics;
  readonly recent: RecentActivity;
  readonly latest: readonly VerificationView[];
  readonly notice: string | null;
  /** The list shows only this tenant; null: all tenants. Everything else is about the whole deployment. */
  readonly tenant: string | null;
  /** How much time the charts show. */
  readonly span: 'hour' | 'day';
  /** The minutes of the span, oldest first. */
  readonly minutes: readonly MinuteCounts[];
  readonly limits: Limits;
  /** ms since 1970. */
  readonly now: number;
}

/** A point of a chart has this many minutes. */
const POINT_MINUTES = { hour: 1, day: 15 } as const;

export function overviewPage(reader: Reader, overview: Overview): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const { status, metrics, latest, notice, now, tenant, span, minutes, limits } = overview;
  const points = toPoints(minutes, POINT_MINUTES[span]);
  const lastMinute = minutes.at(-2) ?? { at: 0, counts: {} };
  const used = ({ region, action }: Metrics['gates'][number]) => ({
    calls: callsIn(lastMinute, region, action),
    most: Math.round(60 * callsPerSecond(limits, region, action)),
  });
  const tab = (each: 'hour' | 'day') =>
    html`<a href="${base}/${each === 'day' && '?span=day'}"${each === span && html` aria-current="true"`}>${words.spans[each]}</a>`;
  const body = html`${noticeLine(notice)}
${live('verdict', html`<h1 class="verdict ${signOf(status)}"><span>${verdictLine(reader, overview)}</span></h1>`)}
${live('needs', findingList(reader, status.findings, now))}
${live('now', factList(reader, overview))}
<h2>${words.lastSpan[span]} <span class="tabs">${tab('hour')}${tab('day')}</span></h2>
${live('charts', overviewCharts(reader, points, POINT_MINUTES[span], metrics))}
<h2>${words.gatesAndServices}</h2>
${live('strip', gateStrip(reader, { gates: metrics.gates, breakers: metrics.breakers, used, now }))}
<h2>${words.latest}${tenant !== null && html` <span class="count">${words.tenantName} ${tenant} · <a href="${base}/">${words.all}</a></span>`}</h2>
${live('latest', html`${verificationTable(reader, latest)}<p><a href="${base}/verifications${tenant !== null && `?tenant=${tenant}`}">${words.allVerifications}</a></p>`)}`;
  return layout({ title: words.overview, language, mode, base, reader, current: 'overview', body });
}

/** The class of the verdict: its own kind, unless a part of the deployment has stopped. */
function signOf({ verdict, condition }: Overview['status']): string {
  if (verdict.kind !== 'idle' && verdict.kind !== 'working') return verdict.kind;
  return condition === 'down' ? 'attention' : verdict.kind;
}

function verdictLine(reader: Reader, { status, metrics, recent, now }: Overview): Html {
  const { language } = reader;
  const { verdict } = status;
  const words = WORDS[language];
  switch (verdict.kind) {
    case 'idle': {
      const { toErase, toNotify } = metrics;
      return html`${words.idle} <small>${toErase + toNotify > 0 && words.followUps(toErase, toNotify)}</small>`;
    }
    case 'working': {
      const { perSecond, atLimit, clearMs, waiting } = verdict;
      const clearIn = clearMs === null ? null : formatDuration(clearMs, words);
      const { ended, failed } = recent.lately;
      const progress = words.working({ perSecond: perSecond.toFixed(1), isAtLimit: atLimit, clearIn });
      return html`${progress} <small>${words.waiting(waiting)} ${ended > 0 && words.lately(ended - failed, failed)}</small>`;
    }
    case 'stopped': {
      const { gate, waiting } = verdict;
      const since = clockTime(reader, gate.since ?? new Date(now).toISOString(), now);
      const title =
        gate.code === null ? words.gateStates[gate.state] : titleIn(language, { code: gate.code, title: gate.code });
      const line = gate.state === 'paused' ? words.paused(gate.by ?? '', since) : words.stopped(title, since);
      return html`${line} <small>${words.waiting(waiting)} ${gate.state === 'closed' && remedyIn(language, gate.code)}</small>`;
    }
    case 'failing': {
      const { failed, ended, waiting } = verdict;
      return html`${words.failing(failed, ended)} <small>${waiting > 0 && words.waiting(waiting)} ${words.failingAdvice}</small>`;
    }
    case 'stalled': {
      const oldest = formatDuration(verdict.oldestMs, words);
      const down = metrics.breakers.find(({ state }) => state === 'down');
      const cause = down === undefined ? words.stalledAdvice : words.stalledFor(down.dependency, down.region);
      return html`${words.stalled(oldest)} <small>${words.waiting(verdict.waiting)} ${cause}</small>`;
    }
  }
}

function factList({ language, base }: Reader, { metrics, recent }: Overview): Html {
  const words = WORDS[language];
  const { interactiveP95Ms: p95, interactive, decisions, failed, cancelled } = recent;
  const ends = { ...decisions, failed, cancelled };
  const shown = ENDS.filter((end) => ends[end] > 0).map(
    (end, index) => html`${index > 0 && ', '}${words.ends[end]} ${ends[end]}`,
  );
  const oldest = metrics.oldestMs === null ? '–' : formatDuration(metrics.oldestMs, words);
  const { paidCalls, possiblyPaidCalls, costs } = metrics.costs.today;
  return html`<dl class="facts">
<div><dt>${words.waitingNow}</dt><dd><a href="${base}/verifications?ended=no">${metrics.live - metrics.held}</a></dd></div>
<div><dt>${words.oldestWait}</dt><dd>${oldest}</dd></div>
<div><dt>${words.interactiveP95}</dt><dd>${p95 === null ? '–' : formatDuration(p95, words)} <small class="dim">${words.ofDecided(interactive)}</small></dd></div>
<div class="broad"><dt>${words.endedLastHour}</dt><dd>${recent.count} <small class="dim">${shown}</small></dd></div>
<div><dt>${words.heldNow}</dt><dd><a href="${base}/held">${metrics.held}</a></dd></div>
<div><dt>${words.paidToday}</dt><dd>${paidCalls} <small class="dim">${possiblyPaidCalls > 0 && words.possibly(possiblyPaidCalls)} ${costs.map(({ currency, paid }) => `${Math.round(paid * 100) / 100} ${currency} `)}</small></dd></div>
</dl>`;
}
