/** The first page: a verdict with its numbers, the gates, the held verifications and the latest verifications. */
import type { BreakerView } from '../../../domain/operations/breakers.ts';
import { GATE_COMMANDS, type GateCommand, type GateView } from '../../../domain/operations/gates.ts';
import type { Metrics } from '../../../domain/operations/metrics.ts';
import type { RecentActivity, Verdict } from '../../../domain/operations/verdict.ts';
import { listedDecisions } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html, type Part } from '../html.ts';
import type { Words } from '../words/en.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { remedyIn, titleIn } from './error-words.ts';
import { clockTime, layout, mayOperate, noticeLine, type Reader, timestamp, tokenField } from './layout.ts';

export interface Overview {
  readonly verdict: Verdict;
  readonly metrics: Metrics;
  readonly recent: RecentActivity;
  readonly held: readonly VerificationView[];
  readonly latest: readonly VerificationView[];
  readonly notice: string | null;
  /** The lists show only this tenant; null: all tenants. The state of gates and services is that of the deployment. */
  readonly tenant: string | null;
  /** Whether the page reloads itself. */
  readonly refresh: boolean;
  /** ms since 1970. */
  readonly now: number;
}

const REFRESH_SECONDS = 10;

export function overviewPage(reader: Reader, overview: Overview): string {
  const words = WORDS[reader.language];
  const { base } = reader;
  const { verdict, metrics, held, latest, notice, refresh, now, tenant } = overview;
  const body = html`${noticeLine(notice)}
<h1 class="verdict ${verdict.kind}">${verdictLine(reader, verdict, now)}</h1>
<p><a href="${base}${refresh ? '/' : '/?refresh=1'}">${refresh ? words.stopRefresh : words.autoRefresh}</a></p>
<form class="row" method="get" action="${base}/find" role="search">
<label>${words.find}<br><input name="what" type="search" required size="32"></label> <button>${words.search}</button>
</form>
<h2>${words.now}</h2>
${factList(words, overview)}
<h2>${words.gates}</h2>
${gateTable(reader, metrics.gates, now)}
${workerList(reader, metrics.workers, now)}
<h2>${words.breakers}</h2>
${breakerTable(reader, metrics.breakers, now)}
<form class="row" method="get" action="${base}/">
<label>${words.tenant}<br><input name="tenant" size="32" value="${tenant ?? ''}"></label> <button>${words.show}</button>
</form>
<h2>${words.heldVerifications}</h2>
${heldTable(reader, held)}
<h2>${words.latest}</h2>
${latestTable(reader, latest)}`;
  const { language, mode } = reader;
  const refreshing = refresh ? { refreshSeconds: REFRESH_SECONDS } : {};
  return layout({ title: words.overview, language, mode, base, reader, body, ...refreshing });
}

function verdictLine({ language }: Reader, verdict: Verdict, now: number): Html {
  const words = WORDS[language];
  switch (verdict.kind) {
    case 'idle':
      return html`${words.idle}`;
    case 'working': {
      const { perSecond, atLimit, clearMs, waiting } = verdict;
      const clearIn = clearMs === null ? null : formatDuration(clearMs, words);
      const progress = words.working({ perSecond: perSecond.toFixed(1), isAtLimit: atLimit, clearIn });
      return html`${progress} <small>${words.waiting(waiting)}</small>`;
    }
    case 'stopped': {
      const { gate, waiting } = verdict;
      const since = clockTime(gate.since ?? new Date(now).toISOString(), now);
      const title = gate.code === null ? '' : titleIn(language, { code: gate.code, title: gate.code });
      const line = gate.state === 'paused' ? words.paused(gate.by ?? '', since) : words.stopped(title, since);
      return html`${line} <small>${words.waiting(waiting)} ${gate.state === 'closed' && remedyIn(language, gate.code)}</small>`;
    }
    case 'failing': {
      const { failed, ended, waiting } = verdict;
      return html`${words.failing(failed, ended)} <small>${waiting > 0 && words.waiting(waiting)} ${words.failingAdvice}</small>`;
    }
    case 'stalled': {
      const oldest = formatDuration(verdict.oldestMs, words);
      return html`${words.stalled(oldest)} <small>${words.waiting(verdict.waiting)} ${words.stalledAdvice}</small>`;
    }
  }
}

/** Lists only the workers that need an operator. */
function workerList({ language }: Reader, workers: Metrics['workers'], now: number): Html {
  const words = WORDS[language];
  const faulty = workers.flatMap((each) => (each.code === null ? [] : [{ ...each, code: each.code }]));
  return html`${faulty.map(({ worker, since, ...fault }) => {
    const title = titleIn(language, { code: fault.code, title: fault.code });
    const line = words.outOfService(worker, title, clockTime(since, now));
    return html`<p class="notice">${line} <small>${remedyIn(language, fault.code)}</small></p>`;
  })}`;
}

function factList(words: Words, { metrics, recent }: Overview): Html {
  const { interactiveP95Ms: p95, interactive, count } = recent;
  const ended: Part[] = [
    ...listedDecisions(recent.decisions).map((each) => `${words.decisions[each]} ${recent.decisions[each]}`),
    `${words.failed} ${recent.failed}`,
    `${words.cancelled} ${recent.cancelled}`,
  ].map((text, index) => [index > 0 && ', ', text]);
  const oldest = metrics.oldestMs === null ? '–' : formatDuration(metrics.oldestMs, words);
  return html`<dl class="facts">
<div><dt>${words.waitingNow}</dt><dd>${metrics.live - metrics.held}</dd></div>
<div><dt>${words.oldestWait}</dt><dd>${oldest}</dd></div>
<div><dt>${words.interactiveP95}</dt><dd>${p95 === null ? '–' : formatDuration(p95, words)} <small class="dim">${words.sampleSize(interactive)}</small></dd></div>
<div><dt>${words.heldNow}</dt><dd>${metrics.held}</dd></div>
<div><dt>${words.endedLastHour}</dt><dd><small>${ended}</small> <small class="dim">(${words.sampleSize(count)})</small></dd></div>
</dl>`;
}

function gateTable(reader: Reader, gates: readonly GateView[], now: number): Html {
  const words = WORDS[reader.language];
  if (gates.length === 0) return html`<p class="dim">${words.noGates}</p>`;
  const rows = gates.map((gate) => {
    const { region, action, state, since, by, why, code } = gate;
    const reason = [by, why].filter((each) => each !== null).join(': ');
    return html`<tr><th scope="row">${region} ${action}</th>
<td class="${state === 'open' ? 'good' : 'bad'}">${words.gateStates[state]}</td>
<td>${since === null ? '' : clockTime(since, now)}</td>
<td>${code !== null && html`<code>${code}</code> `}${reason} ${state === 'closed' && remedyIn(reader.language, code)}</td>
<td>${mayOperate(reader) && steerForm(reader, gate)}</td></tr>`;
  });
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.gate}</th><th scope="col">${words.state}</th><th scope="col">${words.since}</th><th scope="col">${words.why}</th><td></td></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function breakerTable({ language }: Reader, breakers: readonly BreakerView[], now: number): Html {
  const words = WORDS[language];
  if (breakers.length === 0) return html`<p class="dim">${words.noBreakers}</p>`;
  const rows = breakers.map(
    ({ region, dependency, state, since, code }) =>
      html`<tr><th scope="row">${region} ${dependency}</th>
<td class="${state === 'working' ? 'good' : 'bad'}">${words.breakerStates[state]}</td>
<td>${since === null ? '' : clockTime(since, now)}</td>
<td>${code !== null && html`<code>${code}</code> ${titleIn(language, { code, title: code })}`}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.breaker}</th><th scope="col">${words.state}</th><th scope="col">${words.since}</th><th scope="col">${words.why}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function steerForm(reader: Reader, gate: GateView): Html {
  const words = WORDS[reader.language];
  const { base } = reader;
  const { region, action } = gate;
  return html`<form class="row" method="post" action="${base}/gate/${region}/${action}">${tokenField(reader)}
<label><span class="dim">${words.whyPrompt}</span><br><input name="why" required maxlength="200" aria-label="${words.whyPrompt}: ${region} ${action}"></label>
${possibleSteers(gate).map((steer) => html`<button name="steer" value="${steer}">${words.steer[steer]}</button> `)}</form>`;
}

/** The gate commands that make sense in the current state. */
function possibleSteers({ state }: GateView): readonly GateCommand[] {
  if (state === 'paused') return ['resume'];
  return GATE_COMMANDS.filter((steer) => steer === 'pause' || steer === (state === 'closed' ? 'open' : 'close'));
}

function heldTable({ base, language }: Reader, views: readonly VerificationView[]): Html {
  const words = WORDS[language];
  if (views.length === 0) return html`<p class="dim">${words.noneHeld}</p>`;
  const rows = views.map(
    ({ id, reason, heldUntil }) =>
      html`<tr><th scope="row"><a href="${base}/v/${id}"><code>${id}</code></a></th>
<td><code>${reason?.code ?? ''}</code> ${reason !== null && titleIn(language, reason)}</td>
<td>${heldUntil !== null && timestamp(heldUntil)}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.id}</th><th scope="col">${words.reason}</th><th scope="col">${words.failsAt}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function latestTable({ base, language }: Reader, views: readonly VerificationView[]): Html {
  const words = WORDS[language];
  const rows = views.map(
    ({ id, state, decision, reason, createdAt }) =>
      html`<tr><th scope="row"><a href="${base}/v/${id}"><code>${id}</code></a></th><td>${state}</td>
<td>${decision === null ? '' : words.decisions[decision]}</td><td><code>${reason?.code ?? ''}</code></td><td>${timestamp(createdAt)}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.id}</th><th scope="col">${words.state}</th><th scope="col">${words.decision}</th><th scope="col">${words.reason}</th><th scope="col">${words.acceptedAt}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
