/** One verification: what is known of it, what happened to it when, and what a person can decide. No key and no metadata. */
import { HELD_CHOICES } from '../../../domain/held.ts';
import type { HistoryEntry } from '../../../domain/history.ts';
import type { VerificationView } from '../../../domain/view.ts';
import { type Html, html } from '../html.ts';
import { span } from '../words.ts';
import { layout, moment, type Reader, said, tokenField } from './layout.ts';

export interface VerificationPage {
  readonly view: VerificationView;
  /** What was just done. */
  readonly said: string | null;
  /** The frame is part of the page: whoever reads it may see it, asked for it, and that was audited. */
  readonly frame: boolean;
}

export function verificationPage(reader: Reader, page: VerificationPage): string {
  const { words, mode, operator } = reader;
  const { view } = page;
  const { id, state, next, decision, similarity, similarityThreshold, reason, paidCalls, possiblyPaidCalls } = view;
  const mayDecide = state === 'held' && operator.roles.includes('operator');
  const body = html`${said(page.said)}
<h1>${words.verification} <code>${id}</code></h1>
<dl class="facts">
<div><dt>${words.state}</dt><dd>${state}</dd></div>
<div><dt>${words.next}</dt><dd>${next}</dd></div>
<div><dt>${words.decision}</dt><dd>${decision === null ? '–' : words.decided[decision]}</dd></div>
<div><dt>${words.similarity}</dt><dd>${similarity === null ? '–' : `${similarity} / ${similarityThreshold}`}</dd></div>
<div><dt>${words.calls}</dt><dd>${paidCalls}${possiblyPaidCalls > 0 && words.possibly(possiblyPaidCalls)}</dd></div>
<div><dt>${words.frame}</dt><dd>${view.frame}</dd></div>
<div><dt>${words.region}</dt><dd><small>${view.region}<br>${view.action}<br>${view.upload}, ${view.lane}</small></dd></div>
<div><dt>${words.accepted}</dt><dd><small>${moment(view.createdAt)}</small></dd></div>
<div><dt>${view.endedAt === null ? words.deadline : words.ended}</dt><dd><small>${moment(view.endedAt ?? view.deadline)}</small></dd></div>
</dl>
${
  reason !== null &&
  html`<h2>${words.reason}</h2>
<p><code>${reason.code}</code> ${reason.title}</p>
<p>${words.advice}: ${reason.advice}</p>`
}
${mayDecide && decisionForm(reader, view)}
${frame(reader, page)}
<h2>${words.timeline}</h2>
<div class="wide"><table>
<thead><tr><th scope="col">${words.time}</th><th scope="col">${words.stage}</th><th scope="col">${words.event}</th><th scope="col">${words.code}</th><th scope="col">${words.took}</th><th scope="col">RequestId</th><th scope="col">${words.by}</th></tr></thead>
<tbody><tr><td>${moment(view.createdAt)}</td><td></td><td>${words.accepted}</td><td></td><td></td><td></td><td></td></tr>
${view.history.map(row)}</tbody></table></div>
<h2>${words.stages}</h2>
<div class="wide"><table>
<thead><tr><th scope="col">${words.stage}</th><th scope="col">${words.attempts}</th><th scope="col">${words.took}</th></tr></thead>
<tbody>${view.stages.map(({ name, attempts, ms }) => html`<tr><th scope="row">${name}</th><td>${attempts}</td><td>${span(ms)}</td></tr>`)}</tbody></table></div>`;
  return layout({ title: id, words, mode, reader, body });
}

function row({ at, stage, event, code, ms, requestId, billed, by, why, sent }: HistoryEntry): Html {
  const ids = [requestId, ...(sent?.resources ?? []).map((each) => each.requestId)].flatMap((each) => each ?? []);
  return html`<tr><td>${moment(new Date(at).toISOString())}</td><td>${stage ?? ''}</td><td>${event}${billed === true && ' ¥'}</td>
<td><code>${code ?? ''}</code></td><td class="took">${ms === undefined ? '' : span(ms)}</td>
<td>${ids.map((each) => html`<code>${each}</code> `)}</td><td>${[by, why].flatMap((each) => each ?? []).join(': ')}</td></tr>`;
}

function decisionForm(reader: Reader, { id, paidCalls, possiblyPaidCalls, lateAnswer }: VerificationView): Html {
  const { words } = reader;
  const choices = HELD_CHOICES.filter((choice) => lateAnswer || choice !== 'accept-late');
  return html`<h2>${words.decide}</h2>
<form class="act" method="post" action="/v/${id}/decide">${tokenField(reader)}
<fieldset><legend>${words.held}</legend>
${choices.map((choice) => html`<label><input type="radio" name="choice" value="${choice}" required> ${words.choice[choice]}</label>`)}
</fieldset>
${paidCalls + possiblyPaidCalls > 0 && html`<label><input type="checkbox" name="payAgain" value="1"> ${words.payAgain}</label>`}
<label>${words.whyAsked}<input name="why" required maxlength="200"></label>
<button>${words.decide}</button>
</form>`;
}

function frame({ words, operator }: Reader, { view: { id, frame: state }, frame: shown }: VerificationPage) {
  if (state !== 'stored' || !operator.roles.includes('frames')) return null;
  return shown
    ? html`<h2>${words.frame}</h2><img class="frame" src="/v/${id}/frame" alt="${words.frame}">`
    : html`<p><a href="/v/${id}?frame=1">${words.showFrame}</a></p>`;
}
