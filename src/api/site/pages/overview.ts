/** The first page: one verdict, then its numbers, the gates, what a person has to decide, and what came last. */
import { explain } from '../../../domain/errors/index.ts';
import { type GateView, STEERS, type Steer } from '../../../domain/gates.ts';
import type { Metrics } from '../../../domain/metrics.ts';
import { DECISIONS } from '../../../domain/states.ts';
import type { Recent, Verdict } from '../../../domain/verdict.ts';
import type { VerificationView } from '../../../domain/view.ts';
import { type Html, html, type Part } from '../html.ts';
import { span, type Words } from '../words.ts';
import { clock, layout, moment, type Reader, said, tokenField } from './layout.ts';

export interface Overview {
  readonly verdict: Verdict;
  readonly metrics: Metrics;
  readonly recent: Recent;
  readonly held: readonly VerificationView[];
  readonly latest: readonly VerificationView[];
  /** What was just done. */
  readonly said: string | null;
  readonly refresh: boolean;
  /** ms since 1970. */
  readonly now: number;
}

export function overviewPage(reader: Reader, overview: Overview): string {
  const { words, mode } = reader;
  const { refresh } = overview;
  const body = html`${said(overview.said)}
<h1 class="verdict ${overview.verdict.kind}">${verdictIn(words, overview)}</h1>
<p><a href="${refresh ? '/' : '/?refresh=1'}">${refresh ? words.still : words.refresh}</a></p>
<form class="row" method="get" action="/find" role="search">
<label>${words.find}<br><input name="what" type="search" required size="32"></label> <button>${words.search}</button>
</form>
<h2>${words.facts}</h2>
${facts(words, overview)}
<h2>${words.gates}</h2>
${gates(reader, overview.metrics.gates, overview.now)}
<h2>${words.held}</h2>
${held(words, overview)}
<h2>${words.latest}</h2>
${latest(words, overview.latest)}`;
  return layout({ title: words.overview, words, mode, reader, body, ...(refresh ? { refreshS: 10 } : {}) });
}

function verdictIn(words: Words, { verdict, now }: Overview): Html {
  switch (verdict.kind) {
    case 'idle':
      return html`${words.idle}`;
    case 'working': {
      const { perSecond, atLimit, clearMs, waiting } = verdict;
      const clear = clearMs === null ? null : span(clearMs);
      return html`${words.working(perSecond.toFixed(1), atLimit, clear)} <small>${words.waiting(waiting)}</small>`;
    }
    case 'stopped': {
      const { gate, waiting } = verdict;
      const since = clock(gate.since ?? new Date(now).toISOString(), now);
      const title = gate.code === null ? '' : (explain(gate.code)?.title ?? gate.code);
      const what = gate.state === 'paused' ? words.paused(gate.by ?? '', since) : words.stopped(title, since);
      return html`${what} <small>${words.waiting(waiting)} ${gate.state === 'closed' && gate.advice}</small>`;
    }
    case 'stalled':
      return html`${words.stalled(span(verdict.oldestMs))} <small>${words.waiting(verdict.waiting)} ${words.stalledAdvice}</small>`;
  }
}

function facts(words: Words, { metrics, recent }: Overview): Html {
  const mix: Part[] = [
    ...DECISIONS.map((each) => `${words.decided[each]} ${recent.decisions[each]}`),
    `${words.failed} ${recent.failed}`,
    `${words.cancelled} ${recent.cancelled}`,
  ].map((text, index) => [index > 0 && ', ', text]);
  const { interactiveP95Ms: p95, interactive, count } = recent;
  return html`<dl class="facts">
<div><dt>${words.waitingNow}</dt><dd>${metrics.live - metrics.held}</dd></div>
<div><dt>${words.oldest}</dt><dd>${metrics.oldestMs === null ? '–' : span(metrics.oldestMs)}</dd></div>
<div><dt>${words.p95}</dt><dd>${p95 === null ? '–' : span(p95)} <small class="dim">${words.ofThese(interactive)}</small></dd></div>
<div><dt>${words.heldNow}</dt><dd>${metrics.held}</dd></div>
<div><dt>${words.decisions}</dt><dd><small>${mix}</small> <small class="dim">(${words.ofThese(count)})</small></dd></div>
</dl>`;
}

/** What can be done to a gate as it stands. */
function steersOf({ state }: GateView): readonly Steer[] {
  if (state === 'paused') return ['resume'];
  return STEERS.filter((steer) => steer === 'pause' || steer === (state === 'closed' ? 'open' : 'close'));
}

function gates(reader: Reader, all: readonly GateView[], now: number): Html {
  const { words } = reader;
  if (all.length === 0) return html`<p class="dim">${words.noGates}</p>`;
  const states = { open: words.open, closed: words.closed, paused: words.pausedState };
  const rows = all.map((gate) => {
    const { region, action, state, since, by, why, advice, code } = gate;
    const name = `${region} ${action}`;
    return html`<tr><th scope="row">${name}</th>
<td class="${state === 'open' ? 'good' : 'bad'}">${states[state]}</td>
<td>${since === null ? '' : clock(since, now)}</td>
<td>${code !== null && html`<code>${code}</code> `}${[by, why].filter((each) => each !== null).join(': ')} ${state === 'closed' && advice}</td>
<td>${
      reader.operator.roles.includes('operator') &&
      html`<form class="row" method="post" action="/gate/${region}/${action}">${tokenField(reader)}
<label><span class="dim">${words.whyAsked}</span><br><input name="why" required maxlength="200" aria-label="${words.whyAsked}: ${name}"></label>
${steersOf(gate).map((steer) => html`<button name="steer" value="${steer}">${words.steer[steer]}</button> `)}</form>`
    }</td></tr>`;
  });
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.gate}</th><th scope="col">${words.state}</th><th scope="col">${words.since}</th><th scope="col">${words.why}</th><td></td></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function held(words: Words, { held: views }: Overview): Html {
  if (views.length === 0) return html`<p class="dim">${words.noHeld}</p>`;
  const rows = views.map(
    ({ id, reason, heldUntil }) =>
      html`<tr><th scope="row"><a href="/v/${id}"><code>${id}</code></a></th>
<td><code>${reason?.code ?? ''}</code> ${reason?.title ?? ''}</td>
<td>${heldUntil !== null && moment(heldUntil)}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.id}</th><th scope="col">${words.reason}</th><th scope="col">${words.until}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function latest(words: Words, views: readonly VerificationView[]): Html {
  const rows = views.map(
    ({ id, state, decision, reason, createdAt }) =>
      html`<tr><th scope="row"><a href="/v/${id}"><code>${id}</code></a></th><td>${state}</td>
<td>${decision === null ? '' : words.decided[decision]}</td><td><code>${reason?.code ?? ''}</code></td><td>${moment(createdAt)}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.id}</th><th scope="col">${words.state}</th><th scope="col">${words.decision}</th><th scope="col">${words.reason}</th><th scope="col">${words.accepted}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
