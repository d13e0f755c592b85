/** The login form. */
import type { Mode } from '../../../domain/verification/mode.ts';
import { html } from '../html.ts';
import { type Language, WORDS } from '../words/language.ts';
import { layout, noticeLine } from './layout.ts';

export interface LoginPage {
  readonly language: Language;
  readonly mode: Mode;
  /** The path under which proxies show the site. */
  readonly base: string;
  /** The path to open after the login. */
  readonly to: string;
  readonly notice: string | null;
}

export function loginPage({ language, mode, base, to, notice }: LoginPage): string {
  const words = WORDS[language];
  const body = html`<h1>${words.login}</h1>
${noticeLine(notice)}
<form class="act" method="post" action="${base}/login">
<input type="hidden" name="to" value="${to}">
<label>${words.userName}<input name="name" autocomplete="username" required autofocus></label>
<label>${words.password}<input name="password" type="password" autocomplete="current-password" required></label>
<div><button class="main">${words.login}</button></div>
</form>`;
  return layout({ title: words.login, language, mode, base, reader: null, body });
}
