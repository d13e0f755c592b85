/** The frame of every page (mode, navigation, session), and parts that several pages use. */
import type { Operator } from '../../../domain/operations/operators.ts';
import type { Mode } from '../../../domain/verification/mode.ts';
import { type Html, html, type Part } from '../html.ts';
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
}

export interface LayoutOptions {
  readonly title: string;
  readonly language: Language;
  readonly mode: Mode;
  readonly base: string;
  /** Null if nobody is logged in. */
  readonly reader: Reader | null;
  /** The page reloads itself after this many seconds. */
  readonly refreshSeconds?: number;
  readonly body: Part;
}

export function layout({ title, language, mode, base, reader, refreshSeconds, body }: LayoutOptions): string {
  const words = WORDS[language];
  const other: Language = language === 'zh' ? 'en' : 'zh';
  return html`<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshSeconds !== undefined && html`<meta http-equiv="refresh" content="${refreshSeconds}">`}
<title>${title} · Bestframe ${mode.toUpperCase()}</title>
<link rel="stylesheet" href="${base}/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#content">${words.skipToContent}</a>
<header>
<strong>Bestframe</strong>
<span class="mode ${mode}">${mode === 'live' ? words.liveMode : words.testMode}</span>
${
  reader !== null &&
  html`<nav aria-label="Bestframe"><a href="${base}/">${words.overview}</a> · <a href="${base}/dashboard">${words.queues}</a> · <a href="${base}/tenants">${words.tenants}</a> · <a href="${base}/sessions">${words.sessions}</a></nav>`
}
<nav aria-label="${words.otherLanguage}"><a lang="${WORDS[other].lang}" href="${base}/language/${other}">${words.otherLanguage}</a></nav>
${
  reader !== null &&
  html`<form class="session" method="post" action="${base}/logout">${tokenField(reader)}${reader.operator.name} ${
    reader.formToken !== null && html`<button class="plain">${words.logout}</button>`
  }</form>`
}
</header>
<main id="content">
${body}
</main>
</body>
</html>
`.text;
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

/** A time to the second in UTC, so that readers in all time zones see the same text. */
export function timestamp(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

/** The time of day. If `iso` lies on another day than `now`, the date is shown too. */
export function clockTime(iso: string, now: number): string {
  const isToday = new Date(now).toISOString().slice(0, 10) === iso.slice(0, 10);
  return isToday ? `${iso.slice(11, 16)} UTC` : `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
