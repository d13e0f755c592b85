/** The list of verifications: a filter that the address keeps, pages in both directions, and acts on what is selected. */

import { BULK_ACTS } from '../../../domain/operations/bulk.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { CHOICES, type ChoiceName, type FilterFields, queryOf } from '../filter.ts';
import { html, type Part } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { layout, live, mayOperate, noticeLine, type Reader, tokenField } from './layout.ts';
import { COLUMNS, type ColumnName, verificationTable } from './verification-table.ts';

export interface VerificationsPage {
  readonly views: readonly VerificationView[];
  readonly fields: FilterFields;
  readonly columns: readonly ColumnName[];
  /** How many match: exactly, or at least. */
  readonly count: { readonly number: number; readonly exact: boolean };
  /** Position of the first one on this page, from 1. */
  readonly from: number;
  /** Queries of the pages before and after; null if there is none. */
  readonly previous: string | null;
  readonly next: string | null;
  readonly notice: string | null;
}

export function verificationsPage(reader: Reader, page: VerificationsPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const { views, fields, columns, count, from, previous, next } = page;
  const query = queryOf(fields);
  const shown = views.length === 0 ? '' : `${from}–${from + views.length - 1} · `;
  const total = count.exact ? words.countExact(count.number) : words.countMore(count.number);
  const pager = html`<p class="row">${previous !== null && html`<a class="button" rel="prev" href="${base}/verifications?${previous}">← ${words.newer}</a>`}
<span>${shown}${total}</span>
${next !== null && html`<a class="button" rel="next" href="${base}/verifications?${next}">${words.older} →</a>`}
<a href="${base}/verifications.csv${query !== '' && `?${query}`}">${words.csv}</a></p>`;
  const table = live(
    'list',
    verificationTable(reader, views, { columns, select: mayOperate(reader), empty: words.noneMatch }),
  );
  const body = html`${noticeLine(page.notice)}<h1>${words.pageNames.verifications}</h1>
${filterForm(reader, page)}
${pager}
${
  mayOperate(reader)
    ? html`<form method="post" action="${base}/bulk">${tokenField(reader)}<input type="hidden" name="query" value="${query}">
${table}${views.length > 0 && bulkFields(reader)}</form>`
    : table
}
${pager}`;
  return layout({ title: words.pageNames.verifications, language, mode, base, reader, current: 'verifications', body });
}

/** Those that wait longest, the oldest at the top. Held ones are left out: they wait for a person. */
export function waitingPage(reader: Reader, views: readonly VerificationView[]): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const columns = ['state', 'reason', 'region', 'lane', 'tenant', 'accepted'] as const;
  const body = html`<h1>${words.waitingLongest}</h1>
${live('list', verificationTable(reader, views, { columns, empty: words.idle }))}
<p><a href="${base}/verifications">${words.allVerifications}</a></p>`;
  return layout({ title: words.waitingLongest, language, mode, base, reader, current: 'verifications', body });
}

function filterForm({ base, language }: Reader, { fields, columns }: VerificationsPage): Part {
  const words = WORDS[language];
  const names: Readonly<Record<ChoiceName, Readonly<Record<string, string>>>> = {
    ...{ state: {}, class: {}, region: {}, upload: {} },
    ...{ decision: words.decisions, action: words.calls, lane: words.lanesOf, ended: words.endedOf },
  };
  const choices = (Object.keys(CHOICES) as ChoiceName[]).map(
    (name) =>
      html`<label>${words.filters[name]}<select name="${name}"><option value="">${words.all}</option>${CHOICES[
        name
      ].map(
        (value) =>
          html`<option value="${value}"${fields[name] === value && html` selected`}>${names[name][value] ?? value}</option>`,
      )}</select></label>`,
  );
  const more =
    fields.upload !== undefined ||
    fields.action !== undefined ||
    [fields.tenant, fields.subject, fields.id, fields.key].some((each) => each !== undefined);
  return html`<form class="card" method="get" action="${base}/verifications"><div class="filters">
${choices.slice(0, 4)}<label>${words.filters.code}<input name="code" value="${fields.code ?? ''}" autocomplete="off"></label>
<label>${words.filters.since}<input name="since" value="${fields.since ?? ''}" placeholder="3h, 2d, 2026-11-25" autocomplete="off"></label></div>
<details${more && html` open`}><summary>${words.moreFilters}</summary><div class="filters">${choices.slice(4)}
${(['tenant', 'subject', 'id', 'key'] as const).map((name) => html`<label>${words.filters[name]}<input name="${name}" value="${fields[name] ?? ''}" autocomplete="off"></label>`)}</div>
<fieldset><legend>${words.chooseColumns}</legend><div class="row">${COLUMNS.map(
    (name) =>
      html`<label class="choice"><input type="checkbox" name="c-${name}" value="1"${columns.includes(name) && html` checked`}> ${words.columns[name]}</label>`,
  )}</div></fieldset></details>
<div class="row"><button class="main">${words.show}</button><a href="${base}/verifications">${words.clearFilters}</a></div></form>`;
}

function bulkFields({ language }: Reader): Part {
  const words = WORDS[language];
  return html`<div class="row"><label>${words.bulk.act}<select name="act">${BULK_ACTS.map((act) => html`<option value="${act}">${words.bulk.acts[act]}</option>`)}</select></label>
<button name="scope" value="selected">${words.bulk.onSelected}</button><button name="scope" value="filter">${words.bulk.onFilter}</button></div>
<p class="dim">${words.bulk.dryRunFirst}</p>`;
}
