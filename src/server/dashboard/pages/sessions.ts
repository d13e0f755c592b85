/** The page of the sessions: who is logged in, from where and since when. */
import type { SiteSession } from '../../../domain/operations/sessions.ts';
import { html } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { layout, noticeLine, type Reader, timestamp, tokenField } from './layout.ts';

export interface SessionsPage {
  readonly sessions: readonly SiteSession[];
  /** Id of the reader's session, null without one. */
  readonly own: string | null;
  readonly notice: string | null;
}

export function sessionsPage(reader: Reader, { sessions, own, notice }: SessionsPage): string {
  const { base, language, mode, formToken } = reader;
  const words = WORDS[language];
  const newestFirst = [...sessions].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  const rows = newestFirst.map(
    ({ id, operator, way, address, startedAt, lastSeenAt, endsAt }) => html`<tr>
<th scope="row">${operator}${id === own && html` <small class="dim">${words.thisSession}</small>`}</th>
<td>${
      formToken !== null &&
      html`<form class="row" method="post" action="${base}/sessions/${id}/end">${tokenField(reader)}<button aria-label="${words.endSession}: ${operator}, ${address}">${words.endSession}</button></form>`
    }</td>
<td>${words.sessionWays[way]}<br><code>${address}</code></td>
<td><small>${timestamp(reader, startedAt)}</small></td><td><small>${timestamp(reader, lastSeenAt)}</small></td><td><small>${timestamp(reader, endsAt)}</small></td></tr>`,
  );
  const body = html`${noticeLine(notice)}
<h1>${words.sessions}</h1>
<div class="wide"><table class="stack">
<thead><tr><th scope="col">${words.userName}</th><td></td><th scope="col">${words.loggedInBy}</th><th scope="col">${words.since}</th><th scope="col">${words.lastSeen}</th><th scope="col">${words.endsAt}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
  return layout({ title: words.sessions, language, mode, base, reader, current: 'sessions', body });
}
