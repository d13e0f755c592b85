/** Where a person logs in. */
import type { Mode } from '../../../domain/verification.ts';
import { html } from '../html.ts';
import type { Words } from '../words.ts';
import { layout, said } from './layout.ts';

export interface LoginPage {
  readonly words: Words;
  readonly mode: Mode;
  /** Where to go on; a path of ours. */
  readonly to: string;
  readonly fault: string | null;
}

export function loginPage({ words, mode, to, fault }: LoginPage): string {
  const body = html`<h1>${words.login}</h1>
${said(fault)}
<form class="act" method="post" action="/login">
<input type="hidden" name="to" value="${to}">
<label>${words.name}<input name="name" autocomplete="username" required autofocus></label>
<label>${words.password}<input name="password" type="password" autocomplete="current-password" required></label>
<button>${words.login}</button>
</form>`;
  return layout({ title: words.login, words, mode, reader: null, body });
}
