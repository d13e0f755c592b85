/**
 * The oracle: each invariant is one function over the evidence of a run, and says each way in which it was broken.
 * docs/reliability.md has them in words.
 */
import { isTerminal } from '../../src/domain/states.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import type { Evidence } from './evidence.ts';
import type { Seen } from './witness.ts';

export const INVARIANTS = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I8',
  'I9',
  'I10',
  'I11',
  'I12',
  'I13',
  'I14',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly what: string;
}

type Judge = (evidence: Evidence) => string[];

const DETECT = /^(DetectReflectLivenessAndCompare|VideoLivenessCompare)$/;
/** Scripts that write only for whoever holds the job. `outcome` is not among them: a paid answer is never thrown away. */
const FENCED: ReadonlySet<string> = new Set([
  'begin',
  'renew',
  'commit',
  'intent',
  'handback',
  'hold',
  'settle',
  'unknown',
]);

/** Signatures say whole seconds, and a call that was begun in time takes its time to arrive. */
const ARRIVAL_MS = 1_000;
/** Keys that a deployment at rest may have, with how many members at most; null: as many as there are records. */
const AT_REST: readonly (readonly [RegExp, number | null])[] = [
  [/^v:v\w+$/, null],
  [/^h:v\w+$/, null],
  [/^receipt:v\w+$/, null],
  [/^(ended|answered|frames)$/, null],
  [/^subject:/, null],
  [/^(counters|sweeper|retention|webhooks)$/, null],
  [/^gate:[\w-]+:\w+$/, null],
  // Places of the dead, which expire with the next look (60 s and 15 s).
  [/^gate:[\w-]+:\w+:(admitted|express)$/, 8],
  [/^(verify-[\w-]+|erase|notify):(meta|id|events|completed|failed|marker|pc|stalled-check)$/, null],
  [/^verify-[\w-]+:v\w+$/, null],
  // Nobody delivers notifications here.
  [/^notify:(wait|prioritized|notify-v\w+-\w+(-\d+)?)$/, null],
];

/** A held verification is not at its end: it has its place in these. */
const OF_HELD = /^(held|live|verify-[\w-]+:delayed)$/;

const judges: Readonly<Record<Invariant, Judge>> = {
  /** Each acknowledged enqueue ends in exactly one terminal state. */
  I1: ({ accepted, views, seen, excused, prefix, lossy }) => {
    const ids = idsOf(accepted.filter(({ id }) => !excused.has(id)));
    const broken = ids.flatMap((id) => {
      const view = views.get(id);
      if (view === undefined || view === null) return [`${id} was acknowledged, and Redis does not know it`];
      return isTerminal(view.state) || view.state === 'held' ? [] : [`${id} never ended: it is ${view.state}`];
    });
    for (const [id, ends] of endsById(seen, prefix)) {
      if (ends.length > 1 && !lossy) broken.push(`${id} ended ${ends.length} times: ${ends.join(', ')}`);
    }
    return broken;
  },

  /** Billed calls of a verification: one, and one more for each outcome that is known to be unknown; all are counted. */
  I2: (evidence) => {
    const { views, limits } = evidence;
    const billed = countBy(billedCalls(evidence), ({ id }) => id);
    return [...billed].flatMap(([id, count]) => {
      const view = views.get(id) ?? null;
      if (view === null) return [];
      const unknown = view.history.filter(({ event }) => event === 'unknown').length;
      const broken: string[] = [];
      if (count > 1 + unknown) broken.push(`${id} was billed ${count} times, with ${unknown} unknown outcomes`);
      if (count > limits.maxPayments)
        broken.push(`${id} was billed ${count} times, and ${limits.maxPayments} are allowed`);
      if (count > view.paidCalls + view.possiblyPaidCalls) {
        broken.push(`${id} was billed ${count} times and says ${view.paidCalls} + ${view.possiblyPaidCalls}`);
      }
      return broken;
    });
  },

  /** A committed outcome never changes, and nothing but its frame's fate is written to a record that has ended. */
  I3: ({ seen, prefix, views }) => {
    const decisions = new Map<string, string>();
    const ended = new Set<string>();
    const broken: string[] = [];
    for (const { writes } of seen) {
      for (const { id, fields } of journalWrites(writes, prefix)) {
        const { decision, state } = fields;
        if (ended.has(id) && (state !== undefined || decision !== undefined)) {
          broken.push(`${id} had ended, and was written ${state ?? decision}`);
        }
        if (decision !== undefined) {
          const before = decisions.get(id);
          if (before !== undefined && before !== decision) broken.push(`${id} was ${before} and became ${decision}`);
          decisions.set(id, decision);
        }
        if (fields.endedAt !== undefined) ended.add(id);
      }
    }
    for (const [id, decision] of decisions) {
      const view = views.get(id) ?? null;
      if (view !== null && view.decision !== decision) broken.push(`${id} was ${decision} and is ${view.decision}`);
    }
    return broken;
  },

  /** No journal write from an attempt after another one has taken the job. */
  I4: ({ seen, prefix }) => {
    const holder = new Map<string, number>();
    const broken: string[] = [];
    const job = new RegExp(`^${escaped(prefix)}:verify-[\\w-]+:(v\\w+)$`);
    for (const { script, args, keys, writes } of seen) {
      for (const { command, key, args: values } of writes) {
        const id = job.exec(key)?.[1];
        if (id === undefined) continue;
        if (command === 'hincrby' && values[0] === 'ats') holder.set(id, (holder.get(id) ?? 0) + Number(values[1]));
        if (command === 'del' || command === 'unlink' || command === 'hmset') holder.set(id, 0);
        if (command === 'hdel' && values.includes('ats')) holder.set(id, 0);
      }
      if (script === null || !FENCED.has(script) || writes.length === 0) continue;
      const id = keys.map((key) => job.exec(key)?.[1]).find((each) => each !== undefined);
      if (id === undefined) continue;
      const ats = Number(args[1]);
      const held = holder.get(id) ?? ats;
      if (ats < held) broken.push(`${id}: attempt ${ats} wrote by ${script} after attempt ${held} had begun`);
      if (ats > held) holder.set(id, ats); // the witness was away
    }
    return broken;
  },

  /** A paid call that came after its intent's deadline was not billed. */
  I5: (evidence) => {
    const deadlines = intentsById(evidence.seen, evidence.prefix);
    return billedCalls(evidence).flatMap(({ id, call }) => {
      const until = Math.max(...(deadlines.get(id) ?? []).filter(({ at }) => at <= call.at).map((each) => each.until));
      if (!Number.isFinite(until) || call.at <= until + ARRIVAL_MS) return [];
      return [`${id} was billed for a call that came ${call.at - until} ms after its intent's deadline`];
    });
  },

  /** Work of a killed worker is picked up again in time; an open intent adds at most its deadline. */
  I6: ({ kills, seen, prefix, limits, settledAt, windows, saturated }) =>
    (saturated ? [] : kills).flatMap(({ at, sources, freeAt }) => {
      if (windows.some(({ from, to, why }) => why !== 'gate' && to > at && from < freeAt + limits.resumeMs)) return [];
      const dead = new Set(sources);
      return [...heldAt(seen, prefix, dead, at)].flatMap(([id, openUntil]) => {
        const next = seen.find(
          (each) =>
            each.at > at &&
            !dead.has(each.source) &&
            each.writes.length > 0 &&
            each.keys.some((key) => key.endsWith(`:${id}`)),
        );
        const latest = Math.max(freeAt, openUntil) + limits.resumeMs;
        const picked = next?.at ?? Number.POSITIVE_INFINITY;
        if (picked <= latest || settledAt <= latest) return [];
        return [`${id} was picked up ${Math.round(picked - at)} ms after its worker was killed`];
      });
    }),

  /** Waiting work moves: nothing has to be waited for without end. */
  I7: (evidence) => {
    const { settled, accepted, views, excused, startedAt, settledAt } = evidence;
    const still = standstills(evidence);
    if (settled) return still;
    const waiting = idsOf(accepted).filter((id) => {
      const state = views.get(id)?.state;
      return !excused.has(id) && (state === 'queued' || state === 'delayed' || state === 'active');
    });
    if (waiting.length === 0) return still;
    return [
      ...still,
      `${waiting.length} still waited ${Math.round((settledAt - startedAt) / 1_000)} s after the start, e.g. ${waiting[0]}`,
    ];
  },

  /** The vendor has the bytes of the source; the frame that is kept is the vendor's. */
  I8: ({ accepted, views, calls, objects, frames, forged }) => {
    const broken: string[] = [];
    const vendors = new Set(objects.filter(({ bucket }) => bucket.startsWith('faceid-result')).map(({ md5 }) => md5));
    const sources = new Map(
      accepted.flatMap(({ liveData, image }) => [liveData, image]).map(({ md5, bytes }) => [md5, bytes]),
    );
    for (const { bucket, key, md5, sizeBytes } of objects) {
      if (bucket.startsWith('faceid-result')) continue;
      if (sources.get(md5) !== sizeBytes) broken.push(`${bucket}/${key} has bytes that no source has`);
    }
    for (const { id, liveData, image } of accepted) {
      for (const put of putsOf(calls, id)) {
        const sent = put.objects?.[0]?.endsWith('/image') === true ? image : liveData;
        if (put.bytes !== sent.bytes)
          broken.push(`${put.objects?.[0]} has ${put.bytes} bytes, its source ${sent.bytes}`);
      }
      const view = views.get(id) ?? null;
      if (view === null || view.frame !== 'stored' || view.bestFrame === null) continue;
      const kept = frames.get(view.bestFrame.path);
      if (kept === undefined) broken.push(`${id} says that its frame is stored, and it is not there`);
      else if (kept.md5 !== view.bestFrame.md5 || !vendors.has(kept.md5) || forged.has(kept.md5))
        broken.push(`${id} keeps a frame that is not the vendor's`);
    }
    return broken;
  },

  /** N enqueues of one key are one verification. */
  I9: ({ accepted, seen, prefix }) => {
    const broken: string[] = [];
    const byKey = new Map<string, Set<string>>();
    for (const { key, id } of accepted) byKey.set(key, (byKey.get(key) ?? new Set()).add(id));
    for (const [key, ids] of byKey) if (ids.size > 1) broken.push(`${key} is ${ids.size} verifications`);
    const claims = countBy(
      seen
        .flatMap(({ writes }) => journalWrites(writes, prefix)) // a script that Redis did not know has no name yet
        .filter(({ fields }) => fields.fp !== undefined),
      ({ id }) => id,
    );
    for (const [id, count] of claims) if (count > 1) broken.push(`${id} was claimed anew ${count} times`);
    return broken;
  },

  /** The vendor's rate, in any second. */
  I10: ({ calls, limits }) => {
    const throttled = calls.filter(
      ({ action, code, fault }) => DETECT.test(action) && code === 'RequestLimitExceeded' && fault === undefined,
    );
    return throttled.length === 0
      ? []
      : [`the vendor refused ${throttled.length} calls for more than ${limits.qps} a second`];
  },

  /** What kills its worker each time is given up after a bounded number of starts. */
  I11: ({ seen, prefix, limits }) => {
    const starts = countBy(
      seen
        .flatMap(({ script, writes }) => (script === 'begin' ? journalWrites(writes, prefix) : []))
        .filter(({ fields }) => fields.begun !== undefined),
      ({ id }) => id,
    );
    const yields = countBy(
      seen
        .flatMap(({ script, writes }) =>
          script === 'handback' || script === 'hold' ? journalWrites(writes, prefix) : [],
        )
        .filter(({ fields }) => fields.state !== undefined),
      ({ id }) => id,
    );
    return [...starts].flatMap(([id, count]) => {
      const crashes = count - (yields.get(id) ?? 0) - 1;
      return crashes > limits.crashBudget ? [`${id} was begun ${count} times`] : [];
    });
  },

  /** What was planted about a person is nowhere that it must not be. */
  I12: ({ texts, canaries }) =>
    [...texts].flatMap(([where, text]) => {
      const found = canaries.filter((canary) => text.includes(canary));
      return found.length === 0 ? [] : [`${where} has ${found.slice(0, 3).join(', ')}`];
    }),

  /** At rest nothing is left but records and bounded streams. */
  I13: ({ left, prefix, settled, accepted, views }) => {
    if (!settled) return [];
    const held = [...views.values()].filter((view) => view?.state === 'held').length;
    return left.flatMap(({ key, type, size }) => {
      const name = key.slice(prefix.length + 1);
      if (OF_HELD.test(name)) return size <= held ? [] : [`${key} has ${size}, and ${held} are held`];
      const known = AT_REST.find(([pattern]) => pattern.test(name));
      if (known === undefined) return [`${key} (${type}, ${size}) is left`];
      const [, most] = known;
      return size > Math.max(most ?? 0, 5_000, accepted.length * 50) ? [`${key} has grown to ${size}`] : [];
    });
  },

  /** Whatever must be erased is: at least once, under one id. */
  I14: ({ accepted, views, objects, frames, seen, left, prefix, excused, erased, lossy }) => {
    const jobs = new Map<string, Set<string>>();
    const job = new RegExp(`^${escaped(prefix)}:erase:(erase-(v\\w+)-\\d+)$`);
    for (const { writes } of seen) {
      for (const { command, key } of writes) {
        const [, name, id] = (command === 'hmset' && job.exec(key)) || [];
        if (name !== undefined && id !== undefined) jobs.set(id, (jobs.get(id) ?? new Set()).add(name));
      }
    }
    const afterErasure = [...erased].flatMap((id) => {
      const there = objects.filter(({ key }) => key.includes(`/${id}/`)).map(({ key }) => key);
      const kept = [...frames.keys()].filter((path) => path.includes(id));
      return there.length + kept.length === 0
        ? []
        : [`${id} was erased, and ${[...there, ...kept].join(', ')} is left`];
    });
    const handedOn = new Set(left.map(({ key }) => key));
    const toldOf = (id: string, event: string) => handedOn.has(`${prefix}:notify:notify-${id}-${event}`);
    const untold = idsOf(accepted.filter(({ told }) => told)).flatMap((id) => {
      const view = views.get(id) ?? null;
      const event = erased.has(id) ? 'erased' : view !== null && isTerminal(view.state) ? 'ended' : null;
      return event === null || toldOf(id, event) ? [] : [`nobody is told that ${id} was ${event}`];
    });
    const afterEnds = idsOf(accepted).flatMap((id) => {
      const view = views.get(id) ?? null;
      if (excused.has(id) || view === null || !isTerminal(view.state) || view.upload !== 'own-bucket') return [];
      const there = objects.filter(({ key }) => key.includes(`/${id}/`));
      if (there.length > 0) return [`${there.length} objects of ${id} are left in the bucket`];
      const names = jobs.get(id)?.size ?? 0;
      return names > 1 && !lossy ? [`${id} reached erase under ${names} ids`] : [];
    });
    return [...afterErasure, ...afterEnds, ...untold];
  },
};

/** What a Redis that lost acknowledged writes cannot hold: the window that its settings leave. */
const LOST_WITH_REDIS: readonly Invariant[] = ['I2', 'I3', 'I4', 'I9'];

export function judge(evidence: Evidence): Violation[] {
  const asked = INVARIANTS.filter((invariant) => !evidence.lossy || !LOST_WITH_REDIS.includes(invariant));
  const found = asked.flatMap((invariant) => judges[invariant](evidence).map((what) => ({ invariant, what })));
  const own = evidence.findings.map(({ invariant, what }) => ({ invariant: invariant as Invariant, what }));
  return [...found, ...own];
}

// ── what the evidence says ─────────────────────────────────────────────────────────────────────────────────────────

function idsOf(accepted: Evidence['accepted']): string[] {
  return [...new Set(accepted.map(({ id }) => id))];
}

/** By the names of the objects that the vendor read, or by their bytes where the vendor named them. */
export function billedCalls({
  calls,
  objects,
  accepted,
}: Pick<Evidence, 'calls' | 'objects' | 'accepted'>): { id: string; call: CallEntry }[] {
  const owner = new Map(
    accepted.flatMap(({ id, liveData, image }) => [[liveData.md5, id] as const, [image.md5, id] as const]),
  );
  const places = new Map(objects.map(({ bucket, key, md5 }) => [`${bucket}/${key}`, owner.get(md5)]));
  const ids = new Set(accepted.map(({ id }) => id));
  return calls.flatMap((call) => {
    if (call.event !== 'call' || call.billed !== true || !DETECT.test(call.action)) return [];
    const named = (call.objects ?? []).map((place) => /\/(v[0-9a-z]{25})\//.exec(place)?.[1] ?? places.get(place));
    const id = named.find((each) => each !== undefined && ids.has(each));
    return id === undefined ? [] : [{ id, call }];
  });
}

function putsOf(calls: readonly CallEntry[], id: string): CallEntry[] {
  return calls.filter(
    ({ action, code, objects }) =>
      action === 'PutObject' && code === 'OK' && objects?.[0]?.includes(`/${id}/`) === true,
  );
}

interface JournalWrite {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

function journalWrites(writes: Seen['writes'], prefix: string): JournalWrite[] {
  const begins = `${prefix}:v:`;
  return writes.flatMap(({ command, key, args }) => {
    if (command !== 'hset' || !key.startsWith(begins)) return [];
    const fields: Record<string, string> = {};
    for (let i = 0; i + 1 < args.length; i += 2) fields[args[i] ?? ''] = args[i + 1] ?? '';
    return [{ id: key.slice(begins.length), fields }];
  });
}

function endsById(seen: readonly Seen[], prefix: string): Map<string, string[]> {
  const ends = new Map<string, string[]>();
  for (const { writes } of seen) {
    for (const { id, fields } of journalWrites(writes, prefix)) {
      if (fields.endedAt !== undefined) ends.set(id, [...(ends.get(id) ?? []), fields.state ?? '?']);
    }
  }
  return ends;
}

function intentsById(seen: readonly Seen[], prefix: string): Map<string, { at: number; until: number }[]> {
  const intents = new Map<string, { at: number; until: number }[]>();
  for (const { at, writes } of seen) {
    for (const { id, fields } of journalWrites(writes, prefix)) {
      const until = untilOf(fields.open);
      if (until !== null) intents.set(id, [...(intents.get(id) ?? []), { at, until }]);
    }
  }
  return intents;
}

/** What moves a verification on. Asking again whether it may go on does not. */
const MOVES: ReadonlySet<string> = new Set([
  'claim',
  'commit',
  'intent',
  'outcome',
  'unknown',
  'handback',
  'hold',
  'settle',
]);

/** Times in which Redis and a worker were there, and nothing was done about work that waited. */
function standstills(evidence: Evidence): string[] {
  const { seen, prefix, accepted, excused, limits, windows, gaps, kills, settledAt } = evidence;
  const nobody = kills.map(({ at, freeAt }) => ({ from: at, to: freeAt }));
  const waiting = new Set<string>();
  const known = new Set(idsOf(accepted).filter((id) => !excused.has(id)));
  let last = 0;
  const broken: string[] = [];
  const look = (at: number) => {
    const away = [...windows, ...gaps, ...nobody].filter(({ from, to }) => from < at && (to ?? at) > last);
    const lost = away.reduce((sum, { from, to }) => sum + Math.min(to ?? at, at) - Math.max(from, last), 0);
    const still = at - last - lost;
    if (waiting.size > 0 && still > limits.standstillMs)
      broken.push(`nothing was done for ${Math.round(still / 1_000)} s, with ${waiting.size} waiting`);
  };
  for (const { at, script, writes } of seen) {
    const moved = journalWrites(writes, prefix).filter(({ id }) => known.has(id));
    if (script === null || !MOVES.has(script) || writes.length === 0) continue;
    look(at);
    last = at;
    for (const { id, fields } of moved) {
      if (fields.endedAt !== undefined || script === 'hold') waiting.delete(id);
      else waiting.add(id);
    }
  }
  if (waiting.size > 0) look(settledAt);
  return broken;
}

function untilOf(open: string | undefined): number | null {
  const found = /"until":([\d.e+]+)/.exec(open ?? '');
  return found === null ? null : Number(found[1]);
}

/** What a process had in hand when it died, with the deadline of an open intent. */
function heldAt(seen: readonly Seen[], prefix: string, sources: ReadonlySet<string>, at: number): Map<string, number> {
  const held = new Map<string, number>();
  for (const each of seen) {
    if (each.at > at) break;
    for (const { id, fields } of journalWrites(each.writes, prefix)) {
      if (fields.begun !== undefined) {
        if (sources.has(each.source)) held.set(id, 0);
        else held.delete(id);
      }
      if (fields.open !== undefined && held.has(id)) held.set(id, untilOf(fields.open) ?? 0);
      if (fields.endedAt !== undefined || each.script === 'handback' || each.script === 'hold') held.delete(id);
    }
  }
  return held;
}

function countBy<T>(items: readonly T[], of: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1);
  return counts;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
