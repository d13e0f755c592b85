/** What every page has: the mode, the way around, who is logged in, and what was just done. */
import type { Operator } from '../../../domain/operators.ts';
import type { Mode } from '../../../domain/verification.ts';
import { type Html, html, type Part } from '../html.ts';
import { LANGUAGES, type Language, type Words } from '../words.ts';

/** What a page is made for. */
export interface Reader {
  readonly words: Words;
  readonly mode: Mode;
  readonly operator: Operator;
  /** Of each form of this session. */
  readonly token: string;
}

export interface Sheet {
  readonly title: string;
  readonly words: Words;
  readonly mode: Mode;
  readonly reader: Reader | null;
  /** Loaded again after so many seconds. */
  readonly refreshS?: number;
  readonly body: Part;
}

export function layout({ title, words, mode, reader, refreshS, body }: Sheet): string {
  const other: Language = words === LANGUAGES.zh ? 'en' : 'zh';
  return html`<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refreshS !== undefined && html`<meta http-equiv="refresh" content="${refreshS}">`}
<title>${title} · Bestframe ${mode.toUpperCase()}</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<a class="skip" href="#content">${words.skip}</a>
<header>
<strong>Bestframe</strong>
<span class="mode ${mode}">${mode === 'live' ? words.live : words.test}</span>
${
  reader !== null &&
  html`<nav aria-label="Bestframe"><a href="/">${words.overview}</a> · <a href="/dashboard">${words.queues}</a></nav>`
}
<nav aria-label="${words.other}"><a lang="${LANGUAGES[other].lang}" href="/language/${other}">${words.other}</a></nav>
${
  reader !== null &&
  html`<form class="who" method="post" action="/logout">${tokenField(reader)}${reader.operator.name} <button class="plain">${words.logout}</button></form>`
}
</header>
<main id="content">
${body}
</main>
</body>
</html>
`.text;
}

export function tokenField({ token }: Reader): Html {
  return html`<input type="hidden" name="token" value="${token}">`;
}

/** Whatever a form led to; empty where there was none. */
export function said(text: string | null): Part {
  return text !== null && html`<p class="said" role="status">${text}</p>`;
}

/** To the second, UTC: the same for whoever reads it, wherever. */
export function moment(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

/** Its clock time alone, where that was today. */
export function clock(iso: string, now: number): string {
  const today = new Date(now).toISOString().slice(0, 10) === iso.slice(0, 10);
  return today ? `${iso.slice(11, 16)} UTC` : `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
