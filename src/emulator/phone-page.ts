/** A page on which a developer plays the phone: it lists the sessions, and has a button for each card and step. */
import { CARDS } from './cards.ts';
import type { PlayStep } from './play-step.ts';
import type { Session, SessionState } from './sessions.ts';

export interface ListedSession {
  readonly session: Session;
  readonly state: SessionState;
}

const STEPS: readonly PlayStep['step'][] = ['start', 'exhaust', 'leave', 'timeout'];
/** At most this many sessions, the newest first, are on the page. */
const MAX_LISTED = 50;

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
section{border-top:1px solid #ccc;padding:.5rem 0}h2{font-size:1rem;margin:.5rem 0}form{display:inline}
button{font:inherit;margin:.1rem;padding:.15rem .5rem}code{overflow-wrap:anywhere}`;

/** @param token lists only the session with this token. */
export function renderPhonePage(sessions: readonly ListedSession[], token?: string): string {
  const shown = sessions.filter(({ session }) => token === undefined || session.token === token).slice(-MAX_LISTED);
  const body = shown.length === 0 ? '<p>No session yet. Start one, then reload this page.</p>' : '';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Phone</title><style>${STYLE}</style><h1>Phone</h1>
<p>Each button does what a person does on the phone or page. A card decides how an attempt ends. <a href="/phone">All sessions</a></p>
${body}${shown.toReversed().map(renderSession).join('\n')}</html>\n`;
}

function renderSession({ session, state }: ListedSession): string {
  const { flow, region, token, attempts, end } = session;
  const codes = attempts.map(({ code }) => code).join(', ');
  const facts = [state, ...(end === null ? [] : [end]), ...(codes === '' ? [] : [`codes ${codes}`])].join(' · ');
  const isOpen = state === 'waiting' || state === 'started';
  const cards = Object.entries(CARDS).map(([card, { sessionCode, description }]) =>
    button({ token, step: 'finish', card }, card, `${sessionCode}: ${description}`),
  );
  const steps = STEPS.map((step) => button({ token, step }, step, ''));
  return `<section><h2>${escapeHtml(flow)} · ${escapeHtml(region)}</h2>
<p><code>${escapeHtml(token)}</code> · ${escapeHtml(facts)}</p>
${isOpen ? `<p>Finish with ${cards.join('')}</p><p>${steps.join('')}</p>` : ''}</section>`;
}

function button(fields: Readonly<Record<string, string>>, label: string, title: string): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`,
  );
  return `<form method="post" action="/phone">${inputs.join('')}<button title="${escapeHtml(title)}">${escapeHtml(label)}</button></form>`;
}

function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (character) => names[character] ?? character);
}
