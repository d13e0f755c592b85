/** The audit log: who did what, newest first, and whether its chain is intact. */
import { ACTS, type Act } from '../../../domain/operations/audit.ts';
import type { AuditReport } from '../../../domain/operations/audit-report.ts';
import { queryOf } from '../filter.ts';
import { html } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { dataTable, emptyState, layout, type Reader, timestamp } from './layout.ts';

/** A line of the log. */
export interface AuditLine {
  readonly at: string;
  readonly act: string;
  readonly actor: string | null;
  readonly tenant: string | null;
  readonly on: string;
  readonly what: string;
  readonly purpose: string;
  readonly address: string;
}

export interface AuditFields {
  readonly act?: Act | undefined;
  readonly actor?: string | undefined;
  readonly on?: string | undefined;
}

export interface AuditPage {
  readonly fields: AuditFields;
  /** The newest lines that match; null if the log is not a file that the site can read. */
  readonly lines: readonly AuditLine[] | null;
  /** How many match. */
  readonly matching: number;
  /** Null unless the reader asked for the check. */
  readonly report: AuditReport | null;
}

export function auditPage(reader: Reader, { fields, lines, matching, report }: AuditPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const rows = (lines ?? []).map(({ at, act, actor, tenant, on, what, purpose, address }) => [
    timestamp(reader, at),
    html`<code>${act}</code>`,
    `${actor ?? '–'}${tenant === null ? '' : ` (${tenant})`}`,
    /^v[0-9a-z]{25}$/.test(on) ? html`<a href="${base}/v/${on}"><code>${on}</code></a>` : on,
    what,
    purpose,
    address,
  ]);
  const check = queryOf({ ...fields, check: '1' });
  const body = html`<h1>${words.pageNames.audit}</h1>
<form class="card" method="get" action="${base}/audit"><div class="filters">
<label>${words.auditAct}<select name="act"><option value="">${words.all}</option>${ACTS.map((act) => html`<option value="${act}"${act === fields.act && html` selected`}>${act}</option>`)}</select></label>
<label>${words.by}<input name="actor" value="${fields.actor ?? ''}" autocomplete="off"></label>
<label>${words.auditOn}<input name="on" value="${fields.on ?? ''}" autocomplete="off"></label><div><button class="main">${words.show}</button></div></div>
<p><a href="${base}/audit?act=frame.read">${words.facesSeen}</a> · <a href="${base}/audit">${words.clearFilters}</a></p></form>
${report !== null && html`<p class="notice" role="status"><span class="badge ${report.intact ? 'good' : 'bad'}">${report.intact ? words.chainIntact : words.chainBroken(report.problems.length)}</span> ${words.chainFacts(report.lines, report.chains)}${report.problems.slice(0, 10).map(({ kind, chain, text }) => html`<br><code>${kind}</code> ${chain}: ${text}`)}</p>`}
${
  lines === null
    ? emptyState(words.auditNotAFile)
    : html`<p class="row"><span>${lines.length < matching ? words.newestOf(lines.length, matching) : words.countExact(matching)}</span> <a class="button" href="${base}/audit?${check}">${words.checkChain}</a></p>
${lines.length === 0 ? emptyState(words.noneMatch) : dataTable([words.time, words.auditAct, words.by, words.auditOn, words.auditWhat, words.why, words.address], rows)}`
}`;
  return layout({ title: words.pageNames.audit, language, mode, base, reader, current: 'audit', body });
}
