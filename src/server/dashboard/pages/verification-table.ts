/** A table of verifications. It shows no key and no metadata. */
import type { State } from '../../../domain/verification/states.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html, type Part } from '../html.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { titleIn } from './error-words.ts';
import { dataTable, emptyState, type Reader, timestamp } from './layout.ts';

/** Columns that a reader may choose. */
export const COLUMNS = [
  'state',
  'decision',
  'reason',
  'region',
  'action',
  'lane',
  'upload',
  'tenant',
  'duration',
  'paid',
  'accepted',
  'ended',
] as const;
export type ColumnName = (typeof COLUMNS)[number];
export const DEFAULT_COLUMNS: readonly ColumnName[] = ['state', 'decision', 'reason', 'lane', 'duration', 'accepted'];

export interface TableOptions {
  readonly columns?: readonly ColumnName[];
  /** Whether each row has a box to select it. */
  readonly select?: boolean;
  readonly empty?: string;
}

export function verificationTable(
  reader: Reader,
  views: readonly VerificationView[],
  { columns = DEFAULT_COLUMNS, select = false, empty }: TableOptions = {},
): Html {
  const words = WORDS[reader.language];
  if (views.length === 0) return emptyState(empty ?? words.noneYet);
  const heads = [
    words.id,
    ...columns.map((name) =>
      name === 'duration' || name === 'paid' ? { name: words.columns[name], number: true } : words.columns[name],
    ),
  ];
  const rows = views.map((view) => [
    html`${select && html`<input type="checkbox" name="id-${view.id}" value="1" aria-label="${words.select} ${view.id}"> `}<a href="${reader.base}/v/${view.id}"><code>${view.id}</code></a>`,
    ...columns.map((name) => cell(reader, view, name)),
  ]);
  return dataTable(heads, rows);
}

function cell(reader: Reader, view: VerificationView, column: ColumnName): Part {
  const words = WORDS[reader.language];
  const { state, decision, reason, createdAt, decidedAt, endedAt } = view;
  switch (column) {
    case 'state':
      return stateBadge(state);
    case 'decision':
      return decision === null ? '' : decisionBadge(reader, view);
    case 'reason':
      return reason === null
        ? ''
        : html`<span title="${titleIn(reader.language, reason)}">${errorCode(reason.code)}</span>`;
    case 'region':
      return view.region;
    case 'action':
      return words.calls[view.action];
    case 'lane':
      return words.lanesOf[view.lane];
    case 'upload':
      return view.upload;
    case 'tenant':
      return view.tenant ?? '';
    case 'duration': {
      const end = decidedAt ?? endedAt;
      return end === null ? '' : formatDuration(Date.parse(end) - Date.parse(createdAt), words);
    }
    case 'paid':
      return view.possiblyPaidCalls > 0 ? `${view.paidCalls} (+${view.possiblyPaidCalls})` : view.paidCalls;
    case 'accepted':
      return timestamp(reader, createdAt);
    case 'ended':
      return endedAt === null ? '' : timestamp(reader, endedAt);
  }
}

const SIGNS: Readonly<Record<State, string>> = {
  queued: '',
  active: 'busy',
  delayed: 'off',
  held: 'warn',
  completed: 'good',
  failed: 'bad',
  cancelled: '',
};

export function stateBadge(state: State): Html {
  return html`<span class="badge ${SIGNS[state]}">${state}</span>`;
}

/** An error code, which in a table is broken only after a dot. */
export function errorCode(code: string): Html {
  return html`<code class="whole">${code.split('.').map((part, index) => html`${index > 0 && html`.<wbr>`}${part}`)}</code>`;
}

/** A recapture and a refusal are answers, and no faults, so only a match has a sign of its own. */
export function decisionBadge({ language }: Reader, { decision, similarity }: VerificationView): Part {
  if (decision === null) return null;
  const text = WORDS[language].decisions[decision];
  return html`<span class="nowrap">${decision === 'match' ? html`<strong class="good">${text}</strong>` : html`<strong>${text}</strong>`}${similarity !== null && html` <small class="dim">${similarity}</small>`}</span>`;
}
