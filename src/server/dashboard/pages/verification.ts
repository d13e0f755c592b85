/**
 * The page of one verification: its facts, its story as a picture, what can be done now, its notifications and related ones. It
 * shows no key and no metadata.
 */
import { HELD_CHOICES } from '../../../domain/operations/held.ts';
import type { RetryStatus } from '../../../domain/operations/retries.ts';
import { adviseOn } from '../../../domain/verification/advice.ts';
import type { Cost } from '../../../domain/verification/cost.ts';
import type { HistoryEntry } from '../../../domain/verification/history.ts';
import { isTerminal } from '../../../domain/verification/states.ts';
import { supportBundle } from '../../../domain/verification/support.ts';
import type { OpinionView, VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html, type Part } from '../html.ts';
import type { Words } from '../words/en.ts';
import { WORDS } from '../words/language.ts';
import { titleIn } from './error-words.ts';
import {
  dataTable,
  emptyState,
  layout,
  live,
  mayOperate,
  noticeLine,
  type Reader,
  timestamp,
  tokenField,
  withCode,
} from './layout.ts';
import { decisionBadge, errorCode, stateBadge, verificationTable } from './verification-table.ts';
import { milliseconds, waterfall } from './waterfall.ts';

/** A notification about the verification. */
export interface Delivery {
  readonly event: string;
  readonly endpoint: string;
  /** State of the delivery: waiting, delayed, completed, failed. */
  readonly state: string;
  readonly tries: number;
  readonly code: string | null;
}

export interface VerificationPage {
  readonly view: VerificationView;
  readonly notice: string | null;
  /** Whether the reader asked for the frame. */
  readonly showFrame: boolean;
  /** What a retry would do now; null if the verification has not ended. */
  readonly retry: RetryStatus | null;
  /** The price of one call, as text; null without prices. */
  readonly price: string | null;
  readonly deliveries: readonly Delivery[];
  /** Other verifications about the same subject, newest first. */
  readonly related: readonly VerificationView[];
  /** ms since 1970. */
  readonly now: number;
}

export function verificationPage(reader: Reader, page: VerificationPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const { view, now, deliveries, related } = page;
  const { id, reason, webhook, subject } = view;
  const body = html`${noticeLine(page.notice)}
<h1>${words.verification} <code>${id}</code></h1>
${live(
  'facts',
  html`${factList(reader, view)}
${
  reason !== null &&
  html`<div class="card"><h2>${words.reason}</h2>
<p><code>${reason.code}</code> ${titleIn(language, reason)}</p>
<p><strong>${words.advice}:</strong> ${withCode(adviseOn({ ...view, opinion: view.secondOpinion?.status ?? null }, reason, language).operator || words.nothingToDo)}</p></div>`
}`,
)}
${acts(reader, page)}
${frameSection(reader, page)}
${live('story', html`<h2>${words.story}</h2>${waterfall(reader, view, now)}`)}
${live('timeline', html`<h2>${words.timeline}</h2>${timelineTable(reader, view)}`)}
${webhook !== null && html`<h2>${words.deliveries}</h2>${deliveryTable(words, deliveries)}`}
${subject !== null && html`<h2>${words.related}</h2>${verificationTable(reader, related, { empty: words.noneRelated })}`}
<h2>${words.support}</h2>
<details class="card"><summary>${words.supportText}</summary><button type="button" hidden data-needs-script data-copy="support" data-done="${words.copied}">${words.copy}</button><pre id="support" tabindex="0">${supportText(view)}</pre></details>`;
  return layout({ title: id, language, mode, base, reader, current: 'verifications', body });
}

function factList(reader: Reader, view: VerificationView): Html {
  const words = WORDS[reader.language];
  const { state, next, decision, similarity, similarityThreshold, paidCalls, possiblyPaidCalls, cost, endedAt } = view;
  const fact = (name: string, value: Part) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
  return html`<dl class="facts">
${fact(words.state, stateBadge(state))}
<div><dt>${words.next}</dt><dd>${words.nexts[next]}</dd></div>
${view.pausedBy !== null && html`<div><dt>${words.pausedBy}</dt><dd>${words.pauses[view.pausedBy]}</dd></div>`}
${view.retryAfter !== null && fact(words.nextTry, html`<small>${timestamp(reader, view.retryAfter)}</small>`)}
${fact(words.decision, decision === null ? '–' : decisionBadge(reader, { ...view, similarity: null }))}
${fact(words.similarity, similarity === null ? '–' : html`${similarity} <span class="dim">/ ${similarityThreshold}</span>`)}
${fact(words.paidCalls, html`${paidCalls}${possiblyPaidCalls > 0 && html`<small>${words.possiblyPaid(possiblyPaidCalls)}</small>`}`)}
${cost !== null && fact(words.cost, costText(cost))}
${view.secondOpinion !== null && fact(words.secondOpinion, opinionText(words, view.secondOpinion))}
${fact(words.frame, view.frame)}
${fact(words.region, html`<small>${view.region}<br>${words.calls[view.action]}<br>${view.upload}, ${words.lanesOf[view.lane]}</small>`)}
${view.evidence !== null && fact(words.evidence, html`${words.evidenceStates[view.evidence.state]}<small>${words.lockedUntil} ${timestamp(reader, view.evidence.lockedUntil)}</small>`)}
${view.tenant !== null && fact(words.tenantName, view.tenant)}
${view.traceId !== null && fact(words.trace, html`<small><code>${view.traceId}</code></small>`)}
${fact(words.acceptedAt, html`<small>${timestamp(reader, view.createdAt)}</small>`)}
${fact(endedAt === null ? words.deadline : words.endedAt, html`<small>${timestamp(reader, endedAt ?? view.deadline)}</small>`)}
</dl>`;
}

/** The second opinion, with the calls that it cost. */
function opinionText(words: Words, { status, level, code, paidCalls, possiblyPaidCalls, cost }: OpinionView): Html {
  const why = level ?? code;
  const calls = html`${words.paidCalls}: ${paidCalls}${possiblyPaidCalls > 0 && html` ${words.possiblyPaid(possiblyPaidCalls)}`}`;
  return html`${words.opinions[status]}${why !== null && html` <span class="dim">${why}</span>`}<small>${calls}${cost !== null && html`<br>${costText(cost)}`}</small>`;
}

/** The cost as text: a range if it is uncertain whether the vendor billed some calls. */
function costText({ currency, paid, possiblyPaid }: Cost): string {
  const most = possiblyPaid > 0 ? `–${paid + possiblyPaid}` : '';
  return `${paid}${most} ${currency}`;
}

// ── acts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What can be done now. Each act says what it does and what it costs. */
function acts(reader: Reader, page: VerificationPage): Part {
  if (!mayOperate(reader)) return null;
  const words = WORDS[reader.language];
  const { view, retry, price } = page;
  const cost = price === null ? words.costsOneCall : words.costsUpTo(price);
  const forms: Part[] = [];
  if (view.state === 'held') forms.push(decisionForm(reader, view, cost));
  if (retry === 'run' || retry === 'frame')
    forms.push(
      actForm(reader, `v/${view.id}/retry`, {
        title: words.retryAct,
        means: retry === 'run' ? `${words.retryRuns} ${cost}` : words.retryFrame,
        label: words.whyPrompt,
      }),
    );
  else if (retry !== null && retry !== 'answered' && retry !== 'cancelled')
    forms.push(html`<div class="card"><h3>${words.retryAct}</h3><p>${words.retryRefusals[retry]}</p></div>`);
  if (!isTerminal(view.state))
    forms.push(
      actForm(reader, `v/${view.id}/cancel`, {
        title: words.cancelAct,
        means: words.cancelMeans,
        label: words.whyPrompt,
      }),
    );
  const more = html`<details class="card"><summary>${words.eraseAct}</summary>${
    view.legalHold === null
      ? actForm(reader, `v/${view.id}/erase`, {
          title: words.eraseAct,
          means: words.eraseMeans,
          label: words.whyPrompt,
          confirm: true,
        })
      : html`<p>${words.refusals.legal_hold}</p>`
  }</details>`;
  return html`<h2>${words.acts}</h2><div class="tiles">${forms}${more}</div>`;
}

interface ActForm {
  readonly title: string;
  readonly means: string;
  readonly label: string;
  /** Whether the reader must type the id. */
  readonly confirm?: boolean;
}

function actForm(reader: Reader, path: string, { title, means, label, confirm = false }: ActForm): Html {
  const words = WORDS[reader.language];
  return html`<form class="act card" method="post" action="${reader.base}/${path}">${tokenField(reader)}
<h3>${title}</h3><p>${means}</p>
${confirm && html`<label>${words.typeId}<input name="confirm" required autocomplete="off"></label>`}
<label>${label}<input name="why" required maxlength="200" aria-label="${title}: ${label}"></label>
<div><button${confirm ? html` class="danger"` : html` class="main"`}>${title}</button></div></form>`;
}

function decisionForm(
  reader: Reader,
  { id, paidCalls, possiblyPaidCalls, lateAnswer }: VerificationView,
  cost: string,
): Html {
  const words = WORDS[reader.language];
  const { base } = reader;
  const choices = HELD_CHOICES.filter((choice) => lateAnswer || choice !== 'accept-late');
  const pays = (choice: string) => choice === 'retry' || choice === 'rewind';
  return html`<form class="act card" method="post" action="${base}/v/${id}/decide">${tokenField(reader)}
<h3>${words.decide}</h3>
<fieldset><legend>${words.heldVerifications}</legend>
${choices.map((choice) => html`<label class="choice"><input type="radio" name="choice" value="${choice}" required> ${words.choices[choice]} <small class="dim">${pays(choice) ? cost : words.costsNothing}</small></label>`)}
</fieldset>
${paidCalls + possiblyPaidCalls > 0 && html`<label class="choice"><input type="checkbox" name="payAgain" value="1"> ${words.payAgain}</label>`}
<label>${words.whyPrompt}<input name="why" required maxlength="200"></label>
<div><button class="main">${words.submitDecision}</button></div>
</form>`;
}

function frameSection(reader: Reader, { view: { id, frame }, showFrame }: VerificationPage): Part {
  const { base, language, operator } = reader;
  const words = WORDS[language];
  const maySee = frame === 'stored' && operator.roles.includes('frames');
  const looks =
    operator.roles.includes('operator') &&
    html`<a href="${base}/audit?act=frame.read&on=${id}">${words.looksAtThis}</a>`;
  if (maySee && showFrame)
    return html`<h2>${words.frame}</h2><img class="frame" src="${base}/v/${id}/frame" alt="${words.frame}"><p>${looks}</p>`;
  return html`<p class="row">${maySee && html`<a class="button" href="${base}/v/${id}?frame=1">${words.showFrame}</a>`} ${frame !== 'none' && looks}</p>`;
}

// ── tables ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function timelineTable(reader: Reader, { createdAt, history }: VerificationView): Html {
  const words = WORDS[reader.language];
  const columns = [
    words.time,
    words.stage,
    words.event,
    words.code,
    { name: words.duration, number: true },
    'RequestId',
    words.by,
  ];
  return dataTable(columns, [
    [timestamp(reader, createdAt), '', words.acceptedAt, '', '', '', ''],
    ...history.map((entry) => timelineRow(reader, entry)),
  ]);
}

function timelineRow(
  reader: Reader,
  { at, stage, event, code, ms, requestId, billed, possiblyBilled, by, why, sent }: HistoryEntry,
): Part[] {
  const requestIds = [requestId, ...(sent?.resources ?? []).map((each) => each.requestId)].flatMap(
    (each) => each ?? [],
  );
  return [
    timestamp(reader, new Date(at).toISOString()),
    stage ?? '',
    html`${event}${billed === true && ' ¥'}${possiblyBilled === true && ' ¥?'}`,
    code === undefined ? '' : errorCode(code),
    ms === undefined ? '' : milliseconds(ms),
    requestIds.map((each) => html`<code>${each}</code> `),
    [by, why].flatMap((each) => each ?? []).join(': '),
  ];
}

function deliveryTable(words: Words, deliveries: readonly Delivery[]): Html {
  if (deliveries.length === 0) return emptyState(words.noDeliveries);
  return dataTable(
    [words.event, words.endpoint, words.state, { name: words.attempts, number: true }, words.code],
    deliveries.map(({ event, endpoint, state, tries, code }) => [
      event,
      endpoint,
      state,
      tries,
      code === null ? '' : errorCode(code),
    ]),
  );
}

/** What the vendor's support asks for, without links: their places would show the bucket. */
function supportText(view: VerificationView): string {
  const { calls, history, ...facts } = supportBundle(view);
  const plain = calls.map(({ parameters: _parameters, ...call }) => call);
  return JSON.stringify({ ...facts, calls: plain, history }, null, 1);
}
