/** The frame of every page (mode, search, navigation, session), and parts that several pages use. */
import type { Operator } from '../../../domain/operations/operators.ts';
import type { Mode } from '../../../domain/verification/mode.ts';
import { type Html, html, type Part } from '../html.ts';
import { SCRIPT_VERSION } from '../script.ts';
import { STYLE_VERSION } from '../style.ts';
import { type Language, WORDS } from '../words/language.ts';

/** The operator who reads a page. */
export interface Reader {
  readonly language: Language;
  readonly mode: Mode;
  /** The path under which proxies show the site, '' if it is the root. Every link begins with it. */
  readonly base: string;
  readonly operator: Operator;
  /** Token that every form contains, so that only forms of this session are accepted. Null without a session: no forms. */
  readonly formToken: string | null;
  /** The reader's time zone, as the site's script reported it. @example 'Europe/Madrid' @default 'UTC' */
  readonly zone: string;
}

/** Pages of the navigation, with their paths. */
export const PAGES = {
  overview: '/',
  verifications: '/verifications',
  held: '/held',
  webhooks: '/webhooks',
  workers: '/workers',
  tenants: '/tenants',
  costs: '/costs',
  audit: '/audit',
  doctor: '/doctor',
  queues: '/dashboard',
  sessions: '/sessions',
} as const;
export type PageName = keyof typeof PAGES;

export interface LayoutOptions {
  readonly title: string;
  readonly language: Language;
  readonly mode: Mode;
  readonly base: string;
  /** Null if nobody is logged in. */
  readonly reader: Reader | null;
  /** The page of the navigation to which this page belongs. */
  readonly current?: PageName;
  readonly body: Part;
}

export function layout({ title, language, mode, base, reader, current, body }: LayoutOptions): string {
  const words = WORDS[language];
  const other: Language = language === 'zh' ? 'en' : 'zh';
  return html`<!doctype html>
<html lang="${words.lang}" data-zone="${reader?.zone ?? ''}" data-base="${base}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Bestframe ${mode.toUpperCase()}</title>
<link rel="stylesheet" href="${base}/style.css?v=${STYLE_VERSION}">
<link rel="icon" href="data:,">
<script src="${base}/site.js?v=${SCRIPT_VERSION}" defer></script>
</head>
<body>
<a class="skip" href="#content">${words.skipToContent}</a>
<header class="top">
<a class="brand" href="${base}/">Bestframe</a>
<span class="mode ${mode}">${mode === 'live' ? words.liveMode : html`TEST<span>${words.testMode}</span>`}</span>
${
  reader !== null &&
  html`<form class="search" method="get" action="${base}/find" role="search">
<input name="what" type="search" required aria-label="${words.find}" placeholder="${words.find}"> <button>${words.search}</button>
</form>`
}
<div class="who"><a lang="${WORDS[other].lang}" href="${base}/language/${other}">${words.otherLanguage}</a>
${
  reader !== null &&
  html`<form method="post" action="${base}/logout">${tokenField(reader)}<span>${reader.operator.name}</span> ${
    reader.formToken !== null && html`<button class="plain">${words.logout}</button>`
  }</form>`
}</div>
</header>
${
  reader === null
    ? html`<main id="content" class="narrow">${body}</main>`
    : html`<div class="page">
<nav class="pages" aria-label="${words.pages}">${navigation(reader, current)}</nav>
<main id="content">
${body}
</main>
</div>`
}
</body>
</html>
`.text;
}

/** Pages that need the role `operator`. */
const FOR_OPERATORS: readonly PageName[] = ['audit', 'doctor'];

function navigation({ base, language, operator }: Reader, current: PageName | undefined): Part {
  const words = WORDS[language];
  const shown = (Object.keys(PAGES) as PageName[]).filter(
    (name) => operator.roles.includes('operator') || !FOR_OPERATORS.includes(name),
  );
  return shown.map(
    (name) =>
      html`<a href="${base}${PAGES[name]}"${name === current && html` aria-current="page"`}>${words.pageNames[name]}</a>\n`,
  );
}

export function tokenField({ formToken }: Reader): Part {
  return formToken !== null && html`<input type="hidden" name="token" value="${formToken}">`;
}

/** Whether to show the forms of operators. */
export function mayOperate({ operator, formToken }: Reader): boolean {
  return formToken !== null && operator.roles.includes('operator');
}

/** The result of the form that led to this page. */
export function noticeLine(text: string | null): Part {
  return text !== null && html`<p class="notice" role="status">${text}</p>`;
}

/** Advice marks commands and settings with backticks. */
export function withCode(text: string): Part {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));
}

/** A part of a page that the script replaces when something has changed. */
export function live(id: string, body: Part): Html {
  return html`<div id="${id}" data-live>${body}</div>`;
}

/** A list without entries says what that means, and what to do. */
export function emptyState(text: string): Html {
  return html`<p class="empty">${text}</p>`;
}

export interface Column {
  readonly name: Part;
  /** Whether the column contains numbers. */
  readonly number?: boolean;
}

/** A table that becomes a list of cards on a narrow screen. The first cell of a row names the row. */
export function dataTable(columns: readonly (string | Column)[], rows: readonly (readonly Part[])[]): Html {
  const all = columns.map((each) => (typeof each === 'string' ? { name: each, number: false } : each));
  const heads = all.map(
    ({ name, number }) => html`<th scope="col"${number === true && html` class="number"`}>${name}</th>`,
  );
  const lines = rows.map(
    (cells) =>
      html`<tr>${cells.map((cell, index) => {
        const { name, number = false } = all[index] ?? { name: '' };
        if (index === 0) return html`<th scope="row">${cell}</th>`;
        return html`<td${number === true && html` class="number"`}${typeof name === 'string' && name !== '' && html` data-name="${name}"`}>${cell ?? null}</td>`;
      })}</tr>\n`,
  );
  return html`<div class="wide"><table class="stack"><thead><tr>${heads}</tr></thead>\n<tbody>${lines}</tbody></table></div>`;
}

// ── times ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether the runtime knows a time zone. */
export function isZone(zone: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

function partsIn(zone: string, at: Date): Record<string, string> {
  const known = FORMATS.get(zone);
  const format =
    known ??
    new Intl.DateTimeFormat('en-GB', {
      ...{ timeZone: zone, hourCycle: 'h23', timeZoneName: 'short', year: 'numeric', month: '2-digit', day: '2-digit' },
      ...{ hour: '2-digit', minute: '2-digit', second: '2-digit' },
    });
  if (known === undefined && FORMATS.size < 100) FORMATS.set(zone, format);
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
}

/** A time to the second in the reader's zone, with the zone; its title has the time in UTC. */
export function timestamp({ zone }: Pick<Reader, 'zone'>, iso: string): Html {
  const { year, month, day, hour, minute, second, timeZoneName } = partsIn(zone, new Date(iso));
  const utc = `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
  return html`<time datetime="${iso}" title="${utc}"><bdi>${year ?? ''}-${month ?? ''}-${day ?? ''} ${hour ?? ''}:${minute ?? ''}:${second ?? ''}</bdi> ${timeZoneName ?? ''}</time>`;
}

/** The time of day in the reader's zone. If `iso` lies on another day than `now`, the date is shown too. */
export function clockTime({ zone }: Pick<Reader, 'zone'>, iso: string, now: number): string {
  const [then, today] = [partsIn(zone, new Date(iso)), partsIn(zone, new Date(now))];
  const clock = `${then.hour}:${then.minute} ${then.timeZoneName ?? ''}`;
  const dayOf = ({ year, month, day }: Record<string, string>) => `${year}-${month}-${day}`;
  return dayOf(then) === dayOf(today) ? clock : `${dayOf(then)} ${clock}`;
}
