/** What needs a person, in the language of the reader, each with the act beside it. */
import type { Finding, Trouble } from '../../../domain/operations/status.ts';
import { type Html, html, type Part } from '../html.ts';
import type { Words } from '../words/en.ts';
import { formatDuration, WORDS } from '../words/language.ts';
import { remedyIn, titleIn } from './error-words.ts';
import { steerForm } from './gates.ts';
import { clockTime, type Reader, withCode } from './layout.ts';

export function findingList(reader: Reader, findings: readonly Finding[], now: number): Part {
  const words = WORDS[reader.language];
  if (findings.length === 0) return null;
  const items = findings.map(({ level, trouble }) => {
    const { what, cure, act } = describe(reader, trouble, now);
    return html`<li class="${level}"><div><span class="badge ${level === 'down' ? 'bad' : 'warn'}">${words.levels[level]}</span> <strong>${what}</strong>
${cure !== '' && html`<p>${withCode(cure)}</p>`}</div>${act}</li>`;
  });
  return html`<section aria-labelledby="todo"><h2 id="todo">${words.needsPerson} <span class="count">${findings.length}</span></h2><ul class="todo">${items}</ul></section>`;
}

interface Described {
  readonly what: string;
  readonly cure: string;
  /** A form or a link. */
  readonly act: Part;
}

function describe(reader: Reader, trouble: Trouble, now: number): Described {
  const { language, base } = reader;
  const words = WORDS[language];
  const { troubles } = words;
  const since = (iso: string | null) => (iso === null ? '–' : clockTime(reader, iso, now));
  const titled = (code: string | null) => (code === null ? '' : titleIn(language, { code, title: code }));
  switch (trouble.kind) {
    case 'redis':
      return { what: words.redisUnavailable, cure: troubles.redis, act: null };
    case 'unserved': {
      const { region, waiting } = trouble;
      return {
        what: troubles.unserved(waiting, region),
        cure: troubles.unservedCure(region),
        act: link(`${base}/workers`, words.pageNames.workers),
      };
    }
    case 'stalled': {
      const oldest = formatDuration(trouble.oldestMs, words);
      return {
        what: words.stalled(oldest),
        cure: words.stalledAdvice,
        act: link(`${base}/doctor`, words.pageNames.doctor),
      };
    }
    case 'failing': {
      const path = `${base}/verifications?state=failed`;
      return {
        what: words.failing(trouble.failed, trouble.ended),
        cure: troubles.failing,
        act: link(path, troubles.showFailed),
      };
    }
    case 'gate': {
      const { gate } = trouble;
      const { region, action, state, code, by, why } = gate;
      const cure = state === 'paused' ? [by, why].filter((each) => each !== null).join(': ') : remedyIn(language, code);
      const what = troubles.gate(
        `${region} ${words.calls[action]}`,
        words.gateStates[state],
        since(gate.since),
        titled(code),
      );
      return { what, cure, act: steerForm(reader, gate) };
    }
    case 'breaker': {
      const { region, dependency, code } = trouble.breaker;
      return {
        what: troubles.breaker(dependency, region, since(trouble.breaker.since), titled(code)),
        cure: troubles.breakerCure,
        act: null,
      };
    }
    case 'worker': {
      const { worker, code } = trouble.worker;
      const what = words.outOfService(worker, titled(code), since(trouble.worker.since));
      return { what, cure: remedyIn(language, code), act: link(`${base}/workers`, words.pageNames.workers) };
    }
    default:
      return describeChoice(reader, trouble);
  }
}

/** What only a person can decide. */
function describeChoice(
  { language, base }: Reader,
  trouble: Extract<Trouble, { readonly kind: 'budget' | 'held' | 'evidence' | 'dead_notifications' }>,
): Described {
  const words = WORDS[language];
  const { troubles } = words;
  switch (trouble.kind) {
    case 'budget': {
      const { spent, limit, unit, period } = trouble.budget;
      return {
        what: troubles.budget(amount(spent), amount(limit), unitText(words, unit), words.periods[period]),
        cure: troubles.budgetCure,
        act: link(`${base}/costs`, words.pageNames.costs),
      };
    }
    case 'held':
      return { what: troubles.held(trouble.count), cure: troubles.heldCure, act: link(`${base}/held`, words.decide) };
    case 'evidence': {
      const oldest = formatDuration(trouble.oldestMs, words);
      return {
        what: troubles.evidence(trouble.count, oldest),
        cure: troubles.evidenceCure,
        act: link(`${base}/doctor`, words.pageNames.doctor),
      };
    }
    case 'dead_notifications':
      return {
        what: troubles.dead(trouble.count),
        cure: troubles.deadCure,
        act: link(`${base}/webhooks`, troubles.showDead),
      };
  }
}

function link(path: string, text: string): Html {
  return html`<a class="button" href="${path}">${text}</a>`;
}

function unitText(words: Words, unit: string): string {
  return unit === 'calls' ? words.callsUnit : unit;
}

function amount(value: number): string {
  return String(Math.round(value * 100) / 100);
}
