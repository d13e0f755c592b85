/** Verifications that wait for an operator, the one whose hold ends first at the top. */
import type { VerificationView } from '../../../domain/verification/view.ts';
import { html } from '../html.ts';
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
} from './layout.ts';
import { errorCode } from './verification-table.ts';

export interface HeldPage {
  readonly views: readonly VerificationView[];
  /** How many are held in the deployment. */
  readonly total: number;
  readonly notice: string | null;
}

export function heldPage(reader: Reader, { views, total, notice }: HeldPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const rows = views.map(({ id, reason, heldUntil, paidCalls, possiblyPaidCalls, lateAnswer, region, history }) => {
    const since = history.findLast(({ event }) => event === 'held')?.at;
    return [
      html`${mayOperate(reader) && html`<input type="checkbox" name="id-${id}" value="1" aria-label="${words.select} ${id}"> `}<a href="${base}/v/${id}"><code>${id}</code></a>`,
      html`${reason !== null && html`${errorCode(reason.code)} ${titleIn(language, reason)}`}${lateAnswer && html` <span class="badge">${words.hasLateAnswer}</span>`}`,
      region,
      possiblyPaidCalls > 0 ? `${paidCalls} (+${possiblyPaidCalls})` : paidCalls,
      since === undefined ? '' : timestamp(reader, new Date(since).toISOString()),
      heldUntil === null ? '' : timestamp(reader, heldUntil),
    ];
  });
  const columns = [
    words.id,
    words.reason,
    words.region,
    { name: words.paidCalls, number: true },
    words.heldSince,
    words.failsAt,
  ];
  const table = live('held', rows.length === 0 ? emptyState(words.noneHeld) : dataTable(columns, rows));
  const acts = (['resume', 'rewind', 'recapture', 'fail'] as const).map(
    (act) => html`<option value="${act}">${words.bulk.acts[act]}</option>`,
  );
  const body = html`${noticeLine(notice)}<h1>${words.pageNames.held} <span class="dim">${total}</span></h1>
<p class="dim">${words.heldMeans}</p>
${
  mayOperate(reader) && rows.length > 0
    ? html`<form method="post" action="${base}/bulk">${tokenField(reader)}<input type="hidden" name="query" value="state=held">
${table}<div class="row"><label>${words.bulk.act}<select name="act">${acts}</select></label><button name="scope" value="selected">${words.bulk.onSelected}</button><button name="scope" value="filter">${words.bulk.onAllHeld}</button></div>
<p class="dim">${words.bulk.dryRunFirst}</p></form>`
    : table
}`;
  return layout({ title: words.pageNames.held, language, mode, base, reader, current: 'held', body });
}
