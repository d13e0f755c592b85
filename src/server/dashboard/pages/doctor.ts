/** The checks of `bestframe doctor`, run from this process. They only read, and call nothing that is paid. */
import { html } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { dataTable, emptyState, layout, mayOperate, noticeLine, type Reader, timestamp, tokenField } from './layout.ts';

/** The result of a run, as the site's process got it. */
export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly status: 'ok' | 'warn' | 'fail' | 'skipped';
    readonly found: string;
    readonly advice: string | null;
  }[];
}

export interface DoctorPage {
  /** Null before the first run. */
  readonly last: { readonly at: string; readonly report: DoctorReport } | null;
  /** Whether this process can run the checks. */
  readonly available: boolean;
  readonly notice: string | null;
}

const SIGNS = { ok: 'good', warn: 'warn', fail: 'bad', skipped: '' } as const;

export function doctorPage(reader: Reader, { last, available, notice }: DoctorPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const order = ['fail', 'warn', 'ok', 'skipped'];
  const checks = [...(last?.report.checks ?? [])].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  const rows = checks.map(({ name, status, found, advice }) => [
    html`<code>${name}</code>`,
    html`<span class="badge ${SIGNS[status]}">${words.checkStates[status]}</span>`,
    html`${found}${advice !== null && html`<br><strong>${advice}</strong>`}`,
  ]);
  const body = html`${noticeLine(notice)}<h1>${words.pageNames.doctor}</h1><p class="dim">${words.doctorMeans}</p>
${available && mayOperate(reader) && html`<form method="post" action="${base}/doctor" class="row">${tokenField(reader)}<button class="main">${words.runChecks}</button></form>`}
${!available && emptyState(words.noDoctor)}
${
  last === null
    ? available && emptyState(words.noReport)
    : html`<p><span class="badge ${last.report.ok ? 'good' : 'bad'}">${last.report.ok ? words.checksOk : words.checksFailed}</span> ${timestamp(reader, last.at)}</p>
${dataTable([words.check, words.state, words.found], rows)}`
}`;
  return layout({ title: words.pageNames.doctor, language, mode, base, reader, current: 'doctor', body });
}
