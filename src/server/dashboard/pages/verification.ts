/**
 * The page of one verification: its facts, its timeline, and the decision that an operator may make. It shows no key and no
 * metadata.
 */
import { HELD_CHOICES } from '../../../domain/operations/held.ts';
import { adviseOn } from '../../../domain/verification/advice.ts';
import type { Cost } from '../../../domain/verification/cost.ts';
import type { HistoryEntry } from '../../../domain/verification/history.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html } from '../html.ts';
import type { Words } from '../words/en.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { titleIn } from './error-words.ts';
import { layout, mayOperate, noticeLine, type Reader, timestamp, tokenField } from './layout.ts';

export interface VerificationPage {
  readonly view: VerificationView;
  readonly notice: string | null;
  /** Whether the reader asked for the frame. */
  readonly showFrame: boolean;
}

export function verificationPage(reader: Reader, page: VerificationPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const { view } = page;
  const { id, state, reason } = view;
  const mayDecide = state === 'held' && mayOperate(reader);
  const body = html`${noticeLine(page.notice)}
<h1>${words.verification} <code>${id}</code></h1>
${factList(words, view)}
${
  reason !== null &&
  html`<h2>${words.reason}</h2>
<p><code>${reason.code}</code> ${titleIn(language, reason)}</p>
<p>${words.advice}: ${adviseOn(view, reason, language).operator}</p>`
}
${mayDecide && decisionForm(reader, view)}
${frameSection(reader, page)}
<h2>${words.timeline}</h2>
${timelineTable(words, view)}
<h2>${words.stages}</h2>
${stageTable(words, view)}`;
  return layout({ title: id, language, mode, base, reader, body });
}

function factList(words: Words, view: VerificationView): Html {
  const { state, next, decision, similarity, similarityThreshold, paidCalls, possiblyPaidCalls, cost, endedAt } = view;
  return html`<dl class="facts">
<div><dt>${words.state}</dt><dd>${state}</dd></div>
<div><dt>${words.next}</dt><dd>${next}</dd></div>
${view.pausedBy !== null && html`<div><dt>${words.pausedBy}</dt><dd>${words.pauses[view.pausedBy]}</dd></div>`}
${view.retryAfter !== null && html`<div><dt>${words.nextTry}</dt><dd><small>${timestamp(view.retryAfter)}</small></dd></div>`}
<div><dt>${words.decision}</dt><dd>${decision === null ? '–' : words.decisions[decision]}</dd></div>
<div><dt>${words.similarity}</dt><dd>${similarity === null ? '–' : `${similarity} / ${similarityThreshold}`}</dd></div>
<div><dt>${words.paidCalls}</dt><dd>${paidCalls}${possiblyPaidCalls > 0 && words.possiblyPaid(possiblyPaidCalls)}</dd></div>
${cost !== null && html`<div><dt>${words.cost}</dt><dd>${costText(cost)}</dd></div>`}
<div><dt>${words.frame}</dt><dd>${view.frame}</dd></div>
<div><dt>${words.region}</dt><dd><small>${view.region}<br>${view.action}<br>${view.upload}, ${view.lane}</small></dd></div>
${view.traceId !== null && html`<div><dt>${words.trace}</dt><dd><small><code>${view.traceId}</code></small></dd></div>`}
<div><dt>${words.acceptedAt}</dt><dd><small>${timestamp(view.createdAt)}</small></dd></div>
<div><dt>${endedAt === null ? words.deadline : words.endedAt}</dt><dd><small>${timestamp(endedAt ?? view.deadline)}</small></dd></div>
</dl>`;
}

/** The cost as text: a range if it is uncertain whether the vendor billed some calls. */
function costText({ currency, paid, possiblyPaid }: Cost): string {
  const most = possiblyPaid > 0 ? `–${paid + possiblyPaid}` : '';
  return `${paid}${most} ${currency}`;
}

function decisionForm(reader: Reader, { id, paidCalls, possiblyPaidCalls, lateAnswer }: VerificationView): Html {
  const words = WORDS[reader.language];
  const { base } = reader;
  const choices = HELD_CHOICES.filter((choice) => lateAnswer || choice !== 'accept-late');
  return html`<h2>${words.decide}</h2>
<form class="act" method="post" action="${base}/v/${id}/decide">${tokenField(reader)}
<fieldset><legend>${words.heldVerifications}</legend>
${choices.map((choice) => html`<label><input type="radio" name="choice" value="${choice}" required> ${words.choices[choice]}</label>`)}
</fieldset>
${paidCalls + possiblyPaidCalls > 0 && html`<label><input type="checkbox" name="payAgain" value="1"> ${words.payAgain}</label>`}
<label>${words.whyPrompt}<input name="why" required maxlength="200"></label>
<button>${words.submitDecision}</button>
</form>`;
}

function frameSection(
  { base, language, operator }: Reader,
  { view: { id, frame }, showFrame }: VerificationPage,
): Html | null {
  const words = WORDS[language];
  if (frame !== 'stored' || !operator.roles.includes('frames')) return null;
  return showFrame
    ? html`<h2>${words.frame}</h2><img class="frame" src="${base}/v/${id}/frame" alt="${words.frame}">`
    : html`<p><a href="${base}/v/${id}?frame=1">${words.showFrame}</a></p>`;
}

function timelineTable(words: Words, { createdAt, history }: VerificationView): Html {
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.time}</th><th scope="col">${words.stage}</th><th scope="col">${words.event}</th><th scope="col">${words.code}</th><th scope="col">${words.duration}</th><th scope="col">RequestId</th><th scope="col">${words.by}</th></tr></thead>
<tbody><tr><td>${timestamp(createdAt)}</td><td></td><td>${words.acceptedAt}</td><td></td><td></td><td></td><td></td></tr>
${history.map((entry) => timelineRow(words, entry))}</tbody></table></div>`;
}

function timelineRow(
  words: Words,
  { at, stage, event, code, ms, requestId, billed, possiblyBilled, by, why, sent }: HistoryEntry,
): Html {
  const requestIds = [requestId, ...(sent?.resources ?? []).map((each) => each.requestId)].flatMap(
    (each) => each ?? [],
  );
  return html`<tr><td>${timestamp(new Date(at).toISOString())}</td><td>${stage ?? ''}</td><td>${event}${billed === true && ' ¥'}${possiblyBilled === true && ' ¥?'}</td>
<td><code>${code ?? ''}</code></td><td class="duration">${ms === undefined ? '' : formatDuration(ms, words)}</td>
<td>${requestIds.map((each) => html`<code>${each}</code> `)}</td><td>${[by, why].flatMap((each) => each ?? []).join(': ')}</td></tr>`;
}

function stageTable(words: Words, { stages }: VerificationView): Html {
  const rows = stages.map(
    ({ name, attempts, ms }) =>
      html`<tr><th scope="row">${name}</th><td>${attempts}</td><td>${formatDuration(ms, words)}</td></tr>`,
  );
  return html`<div class="wide"><table>
<thead><tr><th scope="col">${words.stage}</th><th scope="col">${words.attempts}</th><th scope="col">${words.duration}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
