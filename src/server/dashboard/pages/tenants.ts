/** The page of the tenants: the policy of each, and its counts. It is read-only. */
import {
  isWalled,
  NO_GRANTS,
  type TenantPlace,
  type TenantPolicy,
  type TenantRecord,
} from '../../../domain/operations/tenants.ts';
import { html } from '../html.ts';
import type { Words } from '../words/en.ts';
import { WORDS } from '../words/language.ts';
import { layout, type Reader, timestamp } from './layout.ts';

export interface TenantRow {
  readonly tenant: string;
  /** Null if no policy is stored. */
  readonly record: TenantRecord | null;
  /** API keys that are neither revoked nor expired. */
  readonly keys: number;
  /** Verifications that have not ended. */
  readonly live: number;
  readonly records: number;
}

export function tenantsPage(reader: Reader, tenants: readonly TenantRow[]): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const rows = tenants.map(
    ({ tenant, record, keys, live, records }) => html`<tr>
<th scope="row"><a href="${base}/verifications?tenant=${tenant}">${tenant}</a></th>
<td>${
      record === null
        ? words.noPolicy
        : html`${record.version}<br><small>${timestamp(reader, record.changedAt)}<br>${record.by}</small>`
    }</td>
<td>${grants(words, tenant, record).map((grant) => html`<div>${grant}</div>`)}</td>
<td class="number" data-name="${words.waitingNow}">${live}</td><td class="number" data-name="${words.records}">${records}</td><td class="number" data-name="${words.apiKeys}">${keys}</td></tr>`,
  );
  const body = html`<h1>${words.tenants}</h1>
${
  tenants.length === 0
    ? html`<p class="empty">${words.noTenants}</p>`
    : html`<div class="wide"><table class="stack">
<thead><tr><th scope="col">${words.tenantName}</th><th scope="col">${words.policyVersion}</th><th scope="col">${words.mayUse}</th><th scope="col" class="number">${words.waitingNow}</th><th scope="col" class="number">${words.records}</th><th scope="col" class="number">${words.apiKeys}</th></tr></thead>
<tbody>${rows}</tbody></table></div>`
}
<p class="dim">${words.tenantsAdvice}</p>`;
  return layout({ title: words.tenants, language, mode, base, reader, current: 'tenants', body });
}

/** What the tenant may use, one line for each kind. */
function grants(words: Words, tenant: string, record: TenantRecord | null): string[] {
  if (record === null && !isWalled(tenant)) return [words.everyPlace];
  const { read, write, fileRoots, httpsHosts, lanes, demands, ...more } = record?.policy ?? NO_GRANTS;
  const lines = [
    [words.readsFrom, read.map(placeText)],
    [words.writesTo, write.map(placeText)],
    [words.folders, fileRoots],
    [words.hosts, httpsHosts],
    [words.lanes, lanes ?? []],
    [words.demands, demands],
    [words.endpoint, more.webhook === undefined ? [] : [more.webhook]],
    [words.threshold, more.similarityThreshold === undefined ? [] : [`${more.similarityThreshold}`]],
    [words.weight, more.weight === 1 ? [] : [`${more.weight}`]],
    [words.limits, limitTexts(words, more.limits)],
  ] as const;
  return [
    words.ownPrefix,
    ...lines.filter(([, values]) => values.length > 0).map(([name, values]) => `${name}: ${values.join(', ')}`),
  ];
}

function limitTexts(words: Words, { unfinished, perDay, budget }: TenantPolicy['limits']): string[] {
  return [
    ...(unfinished === undefined ? [] : [words.unfinished(unfinished)]),
    ...(perDay === undefined ? [] : [words.perDay(perDay)]),
    ...(budget === undefined ? [] : [budget]),
  ];
}

function placeText({ bucket, region, prefix }: TenantPlace): string {
  return [region, bucket, prefix].filter((part) => part !== undefined).join(' ');
}
