/** What an act on many verifications would do, and how far it is. */
import { type BulkPlan, type BulkRun, isDoable } from '../../../domain/operations/bulk.ts';
import type { PlannedRun } from '../../../redis/bulk-plans.ts';
import { html, type Part } from '../html.ts';
import type { Words } from '../words/en.ts';
import { WORDS } from '../words/language.ts';
import { dataTable, layout, live, type Reader, timestamp, tokenField } from './layout.ts';

export function bulkPage(reader: Reader, { plan, run }: PlannedRun): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const title = words.bulk.acts[plan.act];
  const body = html`<h1>${title}</h1>
<p class="dim">${words.bulk.selection}: ${plan.filter}</p>
${run === null ? preview(reader, plan) : live('progress', progress(reader, plan, run))}
<p><a href="${base}/verifications">${words.allVerifications}</a></p>`;
  return layout({ title, language, mode, base, reader, current: 'verifications', body });
}

function preview(reader: Reader, plan: BulkPlan): Part {
  const words = WORDS[reader.language];
  const { ids, outlook, paidBefore, pays, cost, act, cut } = plan;
  const selected = Object.values(outlook).reduce((sum, each) => sum + each, 0);
  return html`<h2>${words.bulk.dryRun}</h2>
<dl class="facts"><div><dt>${words.bulk.selected}</dt><dd>${selected}</dd></div>
<div><dt>${words.bulk.willChange}</dt><dd>${ids.length}</dd></div>
<div><dt>${words.cost}</dt><dd><small>${pays && ids.length > 0 ? (cost === null ? words.bulk.callsAtMost(ids.length) : words.costsUpTo(cost)) : words.costsNothing}</small></dd></div></dl>
${cut && html`<p class="notice">${words.bulk.cut}</p>`}
${outlookTable(words, outlook)}
${
  ids.length === 0
    ? html`<p class="empty">${words.bulk.nothing}</p>`
    : html`<h2>${words.bulk.confirm}</h2><form class="act card" method="post" action="${reader.base}/bulk/${plan.id}/start">${tokenField(reader)}
<p>${words.bulk.means[act]}</p>
${paidBefore > 0 && act !== 'retry' && html`<label class="choice"><input type="checkbox" name="payAgain" value="1"> ${words.bulk.payAgain(paidBefore)}</label>`}
<label>${words.bulk.rate}<input name="rate" type="number" min="1" max="100" value="10" required></label>
${act === 'erase' && html`<label>${words.bulk.typeCount(ids.length)}<input name="confirm" required autocomplete="off" inputmode="numeric"></label>`}
<label>${words.whyPrompt}<input name="why" required maxlength="200"></label>
<div><button class="${act === 'erase' || act === 'fail' ? 'danger' : 'main'}">${words.bulk.acts[act]}: ${ids.length}</button></div></form>`
}`;
}

function outlookTable(words: Words, outlook: Readonly<Record<string, number>>): Part {
  const rows = Object.entries(outlook).map(([status, count]) => [
    html`<span class="badge ${isDoable(status) ? 'good' : 'warn'}">${words.statuses[status as keyof Words['statuses']] ?? status}</span>`,
    count,
  ]);
  return rows.length > 0 && dataTable([words.bulk.result, { name: words.bulk.count, number: true }], rows);
}

function progress(reader: Reader, { ids, id, operator }: BulkPlan, run: BulkRun): Part {
  const words = WORDS[reader.language];
  const { state, done, results, refused, why, startedAt, perSecond } = run;
  return html`<p>${words.bulk.states[state]} <strong>${done} / ${ids.length}</strong> <span class="dim">${words.bulk.atRate(perSecond)}</span></p>
<progress max="${ids.length}" value="${done}" aria-label="${words.bulk.progress}">${done}</progress>
<p class="dim">${operator}: ${why} · ${timestamp(reader, startedAt)}</p>
${outlookTable(words, results)}
${
  refused.length > 0 &&
  html`<h2>${words.bulk.refused}</h2>${dataTable(
    [words.id, words.bulk.result],
    refused.map((each) => [
      html`<a href="${reader.base}/v/${each.id}"><code>${each.id}</code></a>`,
      words.statuses[each.status as keyof Words['statuses']] ?? each.status,
    ]),
  )}`
}
${state === 'interrupted' && html`<p class="notice">${words.bulk.interrupted}</p>`}
${operator === reader.operator.name && runForm(reader, id, state)}`;
}

/** What the run's operator can do about it now. */
function runForm(reader: Reader, id: string, state: BulkRun['state']): Part {
  if (state === 'done') return null;
  const { base, language } = reader;
  const words = WORDS[language];
  const isRunning = state === 'running';
  return html`<form method="post" action="${base}/bulk/${id}/${isRunning ? 'stop' : 'continue'}" class="row">${tokenField(reader)}<button class="${isRunning ? 'danger' : 'main'}">${isRunning ? words.bulk.stop : words.bulk.goOn}</button> <a class="button" href="${base}/bulk/${id}">${words.reload}</a></form>`;
}
