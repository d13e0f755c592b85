/**
 * The story of a verification as a picture: one row for each wait and each attempt, on one axis of time. A long wait is drawn
 * shorter than it was, because it would hide everything else; each row says its true length.
 */
import type { HistoryEntry } from '../../../domain/verification/history.ts';
import type { VerificationView } from '../../../domain/verification/view.ts';
import { type Html, html, type Part } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { titleIn } from './error-words.ts';
import type { Reader } from './layout.ts';

const WIDTH = 1_000;
/** A wait is drawn as at most this share of all attempts together. */
const LONGEST_WAIT = 0.5;
/** A gap that is shorter than this is no wait of its own, ms. */
const LEAST_WAIT_MS = 20;

/** A row of the picture. Times are in ms since 1970. */
export interface Bar {
  readonly kind: 'wait' | 'work' | 'failed' | 'call';
  readonly from: number;
  readonly to: number;
  /** The attempt that the bar shows, or the event that ended the wait. Null: the verification still waits. */
  readonly entry: HistoryEntry | null;
}

/** Events that say that an attempt did not succeed. */
const FAILED: ReadonlySet<HistoryEntry['event']> = new Set(['retry', 'rewind', 'error', 'unsent', 'unknown']);

/** The attempts of a verification and the waits between them, in order. @param now end of a wait that lasts. */
export function barsOf(
  { createdAt, endedAt, history }: Pick<VerificationView, 'createdAt' | 'endedAt' | 'history'>,
  now: number,
): Bar[] {
  const bars: Bar[] = [];
  let at = Date.parse(createdAt);
  const wait = (to: number, entry: HistoryEntry | null) => {
    if (to - at >= LEAST_WAIT_MS) bars.push({ kind: 'wait', from: at, to, entry });
  };
  for (const entry of history) {
    if (entry.ms === undefined) {
      if (entry.event === 'unknown') bars.push({ kind: 'failed', from: at, to: Math.max(at, entry.at), entry });
      else if (entry.event === 'held' || entry.event === 'resolved' || entry.event === 'retried') wait(entry.at, entry);
      else continue;
    } else {
      const from = Math.max(at, entry.at - entry.ms);
      wait(from, entry);
      const kind = FAILED.has(entry.event)
        ? 'failed'
        : entry.stage === 'detect' || entry.stage === 'opinion'
          ? 'call'
          : 'work';
      bars.push({ kind, from, to: Math.max(from, entry.at), entry });
    }
    at = Math.max(at, entry.at);
  }
  if (endedAt === null) wait(now, null);
  return bars;
}

export function waterfall(reader: Reader, view: VerificationView, now: number): Html {
  const words = WORDS[reader.language];
  const bars = barsOf(view, now);
  if (bars.length === 0) return html`<p class="empty">${words.fall.empty}</p>`;
  const worked = bars.filter(({ kind }) => kind !== 'wait').reduce((sum, { from, to }) => sum + to - from, 0);
  const longest = Math.max(1_000, worked * LONGEST_WAIT);
  const drawn = bars.map(({ kind, from, to }) =>
    Math.max(1, kind === 'wait' ? Math.min(to - from, longest) : to - from),
  );
  const total = drawn.reduce((sum, each) => sum + each, 0);
  const isCut = bars.some(({ from, to }, index) => to - from > (drawn[index] ?? 0) + 1);
  let start = 0;
  const rows = bars.map((bar, index) => {
    const length = drawn[index] ?? 0;
    const x = (WIDTH * start) / total;
    start += length;
    return row(reader, bar, view.state === 'held', { x, width: Math.max(3, (WIDTH * length) / total) });
  });
  const whole = Math.max(0, (view.endedAt === null ? now : Date.parse(view.endedAt)) - Date.parse(view.createdAt));
  return html`<div class="card"><p class="dim">${words.fall.total(milliseconds(whole))} ${isCut && words.fall.cut}</p>
<div class="fall">${rows}</div>
<ul class="legend">${(['wait', 'work', 'call', 'failed'] as const).map((kind) => html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${kind}" width="10" height="10"/></svg>${words.fall.kinds[kind]}</li>`)}</ul></div>`;
}

function row(
  reader: Reader,
  { kind, from, to, entry }: Bar,
  isHeld: boolean,
  { x, width }: { x: number; width: number },
): Html {
  const words = WORDS[reader.language];
  const name =
    kind === 'wait'
      ? words.fall.waits(entry === null && isHeld ? 'hold' : waitName(entry))
      : `${entry?.stage ?? ''}${kind === 'failed' ? ` ${entry?.event}` : ''}`;
  return html`<span>${name}</span><svg viewBox="0 0 ${WIDTH} 10" preserveAspectRatio="none" aria-hidden="true"><rect class="${kind}" x="${Math.round(Math.max(0, Math.min(x, WIDTH - width)))}" width="${Math.round(width)}" height="10"/></svg><span class="number">${milliseconds(to - from)}</span>
${facts(reader, kind, entry)}`;
}

/** What a wait was for. */
function waitName(entry: HistoryEntry | null): 'queue' | 'hold' | 'retry' {
  if (entry?.event === 'resolved') return 'hold';
  return entry?.event === 'retried' ? 'retry' : 'queue';
}

/** What an attempt ended with: its code and title, RequestIds, money, and who acted. */
function facts(reader: Reader, kind: Bar['kind'], entry: HistoryEntry | null): Part {
  if (entry === null || (kind === 'wait' && entry.event !== 'resolved' && entry.event !== 'retried')) return null;
  const words = WORDS[reader.language];
  const { code, requestId, billed, possiblyBilled, cost, by, why, sent } = entry;
  const sizes = (sent?.resources ?? []).map(({ name, bytes }) => `${name} ${kilobytes(bytes)}`);
  const parts: Part[] = [
    ...(code === undefined || code === 'Success'
      ? []
      : [html`<code>${code}</code> ${titleIn(reader.language, { code, title: '' })}`]),
    ...(sizes.length === 0 ? [] : [sizes.join(', ')]),
    ...(billed === true ? [html`<strong>${words.fall.billed}${cost !== undefined && ` ${cost}`}</strong>`] : []),
    ...(possiblyBilled === true
      ? [html`<strong>${words.fall.possiblyBilled}${cost !== undefined && ` ${cost}`}</strong>`]
      : []),
    ...(requestId === undefined ? [] : [html`RequestId <code>${requestId}</code>`]),
    ...(by === undefined ? [] : [`${by}${why === undefined ? '' : `: ${why}`}`]),
  ];
  return parts.length > 0 && html`<p class="why">${parts.map((part, index) => html`${index > 0 && ' · '}${part}`)}</p>`;
}

/** @example 3,210 ms */
export function milliseconds(ms: number): string {
  return `${Math.round(ms).toLocaleString('en-US')} ms`;
}

function kilobytes(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.round(bytes / 100) / 10} kB` : `${Math.round(bytes / 100_000) / 10} MB`;
}
