/** Webhook endpoints of the deployment and of its tenants, what waits, and what was given up. */
import type { DeadNotification, WebhookView } from '../../../domain/operations/webhooks.ts';
import { html } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { titleIn } from './error-words.ts';
import {
  dataTable,
  emptyState,
  layout,
  live,
  mayOperate,
  noticeLine,
  type Reader,
  timestamp,
  tokenField,
} from './layout.ts';

/** @property tenant '' for an endpoint of the deployment. */
export interface WebhooksPage {
  readonly endpoints: readonly (WebhookView & { readonly tenant: string })[];
  readonly dead: readonly (DeadNotification & { readonly tenant: string })[];
  readonly waiting: number;
  readonly deadTotal: number;
  readonly notice: string | null;
}

export function webhooksPage(reader: Reader, { endpoints, dead, waiting, deadTotal, notice }: WebhooksPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const act = { name: html`<span class="hidden">${words.bulk.act}</span>` };
  const form = (path: string, tenant: string, label: string, about: string) =>
    mayOperate(reader) &&
    html`<form class="row" method="post" action="${base}/${path}">${tokenField(reader)}<input type="hidden" name="tenant" value="${tenant}"><button aria-label="${label}: ${about}">${label}</button></form>`;
  const endpointRows = endpoints.map(({ name, tenant, url, events, secrets, state, code }) => [
    name,
    tenant,
    url ?? words.fromSettings,
    events?.join(', ') ?? words.allEvents,
    html`<span class="badge ${state === 'on' ? 'good' : 'bad'}">${words.endpointStates[state]}</span> ${code !== null && html`<code>${code}</code> ${titleIn(language, { code, title: '' })}`}`,
    secrets,
    html`${form(`webhooks/${name}/test`, tenant, words.test, name)}${state !== 'on' && form(`webhooks/${name}/enable`, tenant, words.enable, name)}`,
  ]);
  const deadRows = dead.map(({ id, verification, tenant, event, endpoint, code, tries, at }) => [
    html`<a href="${base}/v/${verification}"><code>${verification}</code></a>`,
    event,
    `${tenant === '' ? '' : `${tenant}/`}${endpoint}`,
    html`<code>${code}</code>`,
    tries,
    timestamp(reader, at),
    form(`webhooks/redeliver/${id}`, tenant, words.redeliver, `${verification} ${event}`),
  ]);
  const body = html`${noticeLine(notice)}<h1>${words.pageNames.webhooks}</h1>
${live('counts', html`<dl class="facts"><div><dt>${words.waitingNow}</dt><dd>${waiting}</dd></div><div><dt>${words.givenUp}</dt><dd>${deadTotal}</dd></div></dl>`)}
<h2>${words.endpoints}</h2>
${endpoints.length === 0 ? emptyState(words.noEndpoints) : dataTable([words.userName, words.tenantName, 'URL', words.event, words.state, { name: words.secrets, number: true }, act], endpointRows)}
<h2>${words.givenUp} <span class="count">${dead.length < deadTotal ? words.newestOf(dead.length, deadTotal) : deadTotal}</span></h2>
${live('dead', dead.length === 0 ? emptyState(words.noneGivenUp) : dataTable([words.verification, words.event, words.endpoint, words.code, { name: words.attempts, number: true }, words.time, act], deadRows))}`;
  return layout({ title: words.pageNames.webhooks, language, mode, base, reader, current: 'webhooks', body });
}
