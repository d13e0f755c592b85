/** What calls cost: sums of a range of days by day, tenant, region or action, and the budgets. */
import { COST_GROUPS, type CostGroup, type CostSum } from '../../../domain/operations/costs.ts';
import type { BudgetStatus } from '../../../domain/operations/metrics.ts';
import { queryOf } from '../filter.ts';
import { html } from '../html.ts';
import { WORDS } from '../words/language.ts';
import { dataTable, emptyState, layout, noticeLine, type Reader } from './layout.ts';

export interface CostsPage {
  readonly sums: readonly CostSum[];
  readonly by: CostGroup;
  readonly since: string;
  readonly until: string;
  readonly tenant: string;
  readonly budgets: readonly BudgetStatus[];
  readonly notice: string | null;
}

export function costsPage(reader: Reader, { sums, by, since, until, tenant, budgets, notice }: CostsPage): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const currencies = [...new Set(sums.flatMap(({ costs }) => costs.map(({ currency }) => currency)))];
  const total = {
    paid: sums.reduce((sum, each) => sum + each.paidCalls, 0),
    maybe: sums.reduce((sum, each) => sum + each.possiblyPaidCalls, 0),
  };
  const amount = (value: number) => (Math.round(value * 100) / 100).toFixed(2);
  const money = ({ costs }: Pick<CostSum, 'costs'>, currency: string) => {
    const { paid = 0, possiblyPaid = 0 } = costs.find((each) => each.currency === currency) ?? {};
    return possiblyPaid > 0 ? `${amount(paid)} (+${amount(possiblyPaid)})` : amount(paid);
  };
  const ofAll = (currency: string) => {
    const all = sums.flatMap(({ costs }) => costs.filter((each) => each.currency === currency));
    const sum = {
      currency,
      paid: all.reduce((each, { paid }) => each + paid, 0),
      possiblyPaid: all.reduce((each, { possiblyPaid }) => each + possiblyPaid, 0),
    };
    return money({ costs: [sum] }, currency);
  };
  const number = (name: string) => ({ name, number: true });
  const rows = sums.map((sum) => [
    sum.name === '' ? words.deployment : sum.name,
    sum.paidCalls,
    sum.possiblyPaidCalls,
    ...currencies.map((currency) => money(sum, currency)),
  ]);
  const sumRow = [html`<strong>${words.total}</strong>`, total.paid, total.maybe, ...currencies.map(ofAll)];
  const csv = queryOf({ by, since, until, tenant });
  const body = html`${noticeLine(notice)}<h1>${words.pageNames.costs}</h1>
<form class="card" method="get" action="${base}/costs"><div class="filters">
<label>${words.from}<input type="date" name="since" value="${since}"></label><label>${words.until}<input type="date" name="until" value="${until}"></label>
<label>${words.groupBy}<select name="by">${COST_GROUPS.map((each) => html`<option value="${each}"${each === by && html` selected`}>${words.costGroups[each]}</option>`)}</select></label>
<label>${words.filters.tenant}<input name="tenant" value="${tenant}" autocomplete="off"></label><div><button class="main">${words.show}</button></div></div>
<p><a href="${base}/costs?${queryOf(monthOf(0))}">${words.thisMonth}</a> · <a href="${base}/costs?${queryOf(monthOf(1))}">${words.lastMonth}</a> · <a href="${base}/costs.csv?${csv}">${words.csvSums}</a></p></form>
${budgets.map(({ period, spent, limit, unit }) => html`<p><label>${words.budgetOf(words.periods[period])}: ${Math.round(spent * 100) / 100} / ${limit} ${unit === 'calls' ? words.callsUnit : unit}<progress max="${limit}" value="${Math.min(spent, limit)}"></progress></label></p>`)}
<h2>${words.costGroups[by]}</h2>
${sums.length === 0 ? emptyState(words.noCosts) : dataTable([words.costGroups[by], number(words.paidCalls), number(words.possiblyPaidCalls), ...currencies.map(number)], [sumRow, ...rows])}
<p class="dim">${words.costsMeans}</p>`;
  return layout({ title: words.pageNames.costs, language, mode, base, reader, current: 'costs', body });
}

/** First and last day of this month, or of an earlier one. */
function monthOf(ago: number): { since: string; until: string; by: string } {
  const now = new Date();
  const day = (month: number, date: number) =>
    new Date(Date.UTC(now.getUTCFullYear(), month, date)).toISOString().slice(0, 10);
  const month = now.getUTCMonth() - ago;
  return { since: day(month, 1), until: day(month + 1, 0), by: 'tenant' };
}
