/** Verify workers that are alive, and the queues that they serve. */
import type { Metrics } from '../../../domain/operations/metrics.ts';
import { html } from '../html.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { remedyIn, titleIn } from './error-words.ts';
import { dataTable, emptyState, layout, live, type Reader, timestamp, withCode } from './layout.ts';

export function workersPage(reader: Reader, { workers, queues, oldest, toErase, toNotify, outbox }: Metrics): string {
  const { base, language, mode } = reader;
  const words = WORDS[language];
  const number = (name: string) => ({ name, number: true });
  const rows = workers.map(({ worker, regions, state, code, since, version, slots, lastBeat }) => [
    html`<code>${worker}</code>`,
    html`<span class="badge ${state === 'ready' ? 'good' : 'bad'}">${words.workerStates[state]}</span>`,
    `${slots.used} / ${slots.of}`,
    regions.join(', '),
    code === null
      ? ''
      : html`<code>${code}</code> ${titleIn(language, { code, title: code })}. ${withCode(remedyIn(language, code))}`,
    timestamp(reader, since),
    timestamp(reader, lastBeat),
    version,
  ]);
  const queueRows = queues.map(({ region, waiting, active, delayed }) => {
    const serving = workers.filter(({ state, regions }) => state === 'ready' && regions.includes(region)).length;
    const ages = oldest.filter((each) => each.region === region).map(({ ageMs }) => ageMs);
    const isUnserved = serving === 0 && waiting + active + delayed > 0;
    return [
      region,
      waiting,
      active,
      delayed,
      ages.length === 0 ? '–' : formatDuration(Math.max(...ages), words),
      html`${serving} ${isUnserved && html`<span class="badge bad">${words.unserved}</span>`}`,
    ];
  });
  const body = html`<h1>${words.pageNames.workers}</h1>
${live('workers', rows.length === 0 ? emptyState(words.noWorkers) : dataTable([words.worker, words.state, number(words.slotsUsed), words.region, words.fault, words.since, words.lastBeat, words.version], rows))}
<h2>${words.queues}</h2>
${live(
  'queues',
  html`${dataTable([words.region, number(words.waitingNow), number(words.running), number(words.delayed), number(words.oldestWait), words.servedBy], queueRows)}
<dl class="facts"><div><dt>${words.toErase}</dt><dd>${toErase}</dd></div><div><dt>${words.toNotify}</dt><dd>${toNotify}</dd></div><div><dt>${words.outbox}</dt><dd>${outbox}</dd></div></dl>`,
)}
<p class="dim">${words.workersMeans}</p>`;
  return layout({ title: words.pageNames.workers, language, mode, base, reader, current: 'workers', body });
}
