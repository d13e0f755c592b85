/**
 * The oracle: each invariant is one function over the evidence of a run, and returns a text for each violation.
 * docs/reliability.md describes the invariants.
 */
import { OPINION_CALL } from '../../src/domain/verification/actions.ts';
import { isTerminal } from '../../src/domain/verification/states.ts';
import type { CallEntry } from '../../src/emulator/control.ts';
import type { Evidence } from './evidence.ts';
import type { ExecutedCommand } from './witness.ts';

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
  'I15',
  'I16',
  'I17',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface Violation {
  readonly invariant: Invariant;
  readonly message: string;
}

type Judge = (evidence: Evidence) => string[];

const DETECT = /^(DetectReflectLivenessAndCompare|VideoLivenessCompare)$/;
/**
 * Scripts that write only if the attempt still holds the job. `record-outcome` is not one of them, because a paid
 * answer is recorded even if the job is lost.
 */
const FENCED: ReadonlySet<string> = new Set([
  'begin-attempt',
  'renew-lease',
  'commit-stage',
  'declare-intent',
  'requeue',
  'hold-for-review',
  'settle',
  'mark-outcome-unknown',
]);

/** How late after its deadline a call may arrive. Signatures expire in whole seconds, and a call needs time to arrive. */
const ARRIVAL_MS = 1_000;
/**
 * Keys that may remain after all work has ended, each with its maximum size. Null: the size grows with the records.
 */
const AT_REST: readonly (readonly [RegExp, number | null])[] = [
  [/^v:v\w+$/, null],
  [/^h:v\w+$/, null],
  [/^receipt:v\w+$/, null],
  [/^kept:v\w+$/, null], // the sources of a failed verification; Redis expires them
  [/^(ended|answered|frames|evidence)$/, null],
  [/^subject:/, null],
  [
    /^(counters|sweeper|retention|webhooks|budget|mode|namespace|aof(:asked)?|workers|turns:[\w-]+|probe|feeder)$/,
    null,
  ],
  [/^minute:\d+$/, null], // the counts of a minute; Redis expires them after a day
  [/^costs:\d{4}-\d\d(-\d\d)?$/, null],
  [/^gate:[\w-]+:\w+$/, null],
  [/^(breakers:[\w-]+|regions)$/, 210],
  // Entries of dead workers expire (in `admitted` after 60 s, in `express` after 15 s; those of `sharing` and `reserved` are found out of date), but stay in the set until the next check
  // removes them.
  [/^gate:[\w-]+:\w+:(admitted|express|sharing|reserved)$/, 8],
  [/^(verify-[\w-]+|erase|notify):(meta|id|events|completed|failed|marker|pc|stalled-check)$/, null],
  [/^verify-[\w-]+:v\w+$/, null],
  // Notifications stay queued, because no worker delivers them in this kit.
  [/^notify:(wait|prioritized|notify-v\w+(-\w+)+)$/, null],
];

/** Error codes of a service that is down or cannot be reached. */
const OUTAGE: ReadonlySet<string> = new Set([
  ...['InternalError', 'ServiceUnavailable', 'SlowDown', 'HTTP_5XX', 'TIMEOUT', 'RESET', 'DEPENDENCY_DOWN'],
  ...['CONNECT_REFUSED', 'CONNECT_TIMEOUT', 'DNS_FAILED', 'TLS_FAILED', 'PROXY_REFUSED'],
]);

/** Error codes of faults of one machine. */
const MACHINE: ReadonlySet<string> = new Set([
  ...['ROOT_UNREADABLE', 'SPOOL_UNWRITABLE', 'SPOOL_FULL', 'SINK_UNWRITABLE', 'SINK_FULL', 'CLOCK_OFF', 'CA_UNTRUSTED'],
]);
/** Codes with which FaceID refuses the account. A redirect is one: it shows that the endpoint or the proxy is wrong for everybody. */
const REFUSED_ACCOUNT = /^(AuthFailure|ResourceUnavailable|UnauthorizedOperation|HTTP 3\d\d$)/;

/** A held verification has not ended, so it still has entries in these keys. */
const HELD_KEYS = /^(held|live|verify-[\w-]+:delayed)$/;

const judges: Readonly<Record<Invariant, Judge>> = {
  /** Each acknowledged enqueue ends in exactly one terminal state. */
  I1: ({ accepted, views, executed, excused, prefix, lossy }) => {
    const ids = idsOf(accepted.filter(({ id }) => !excused.has(id)));
    const broken = ids.flatMap((id) => {
      const view = views.get(id);
      if (view === undefined || view === null) return [`${id} was acknowledged, but Redis does not know it`];
      return isTerminal(view.state) || view.state === 'held' ? [] : [`${id} never ended: its state is ${view.state}`];
    });
    for (const [id, ends] of endsById(certain(executed), prefix)) {
      if (ends.length > 1 && !lossy) broken.push(`${id} ended ${ends.length} times: ${ends.join(', ')}`);
    }
    return broken;
  },

  /**
   * A verification has at most one billed call, and one more for each outcome recorded as unknown. Its record counts
   * every billed call.
   */
  I2: (evidence) => {
    const { views, limits } = evidence;
    const billed = countBy(billedCalls(evidence), ({ id }) => id);
    return [...billed].flatMap(([id, count]) => {
      const view = views.get(id) ?? null;
      if (view === null) return [];
      const unknown = view.history.filter(({ event, stage }) => event === 'unknown' && stage !== 'opinion').length;
      const broken: string[] = [];
      if (count > 1 + unknown) broken.push(`${id} was billed ${count} times, with ${unknown} unknown outcomes`);
      if (count > limits.maxPayments)
        broken.push(`${id} was billed ${count} times, but ${limits.maxPayments} are allowed`);
      if (count > view.paidCalls + view.possiblyPaidCalls) {
        broken.push(
          `${id} was billed ${count} times, but its record counts ${view.paidCalls} + ${view.possiblyPaidCalls}`,
        );
      }
      return broken;
    });
  },

  /** A recorded decision never changes. After the end, only the state of the frame is written. */
  I3: ({ executed, prefix, views }) => {
    const decisions = new Map<string, string>();
    const ended = new Set<string>();
    const broken: string[] = [];
    for (const { writes } of certain(executed)) {
      for (const { id, fields } of journalWrites(writes, prefix)) {
        const { decision, state } = fields;
        if (ended.has(id) && (state !== undefined || decision !== undefined)) {
          broken.push(`${id} had ended, but ${state ?? decision} was written`);
        }
        if (decision !== undefined) {
          const before = decisions.get(id);
          if (before !== undefined && before !== decision) broken.push(`${id} changed from ${before} to ${decision}`);
          decisions.set(id, decision);
        }
        if (fields.endedAt !== undefined) ended.add(id);
      }
    }
    for (const [id, decision] of decisions) {
      const view = views.get(id) ?? null;
      if (view !== null && view.decision !== decision)
        broken.push(`${id} was recorded as ${decision}, but reads as ${view.decision}`);
    }
    return broken;
  },

  /** Once another attempt has taken the job, the earlier attempt writes nothing to the journal. */
  I4: ({ executed, prefix }) => {
    const holder = new Map<string, number>();
    const broken: string[] = [];
    const job = new RegExp(`^${escapeRegExp(prefix)}:verify-[\\w-]+:(v\\w+)$`);
    for (const { script, args, keys, writes, mayBeLost = false } of executed) {
      for (const { command, key, args: values } of writes) {
        const id = job.exec(key)?.[1];
        if (id === undefined) continue;
        // Only this command must not count if it was lost: the others set the holder to the least possible attempt.
        if (command === 'hincrby' && values[0] === 'ats' && !mayBeLost)
          holder.set(id, (holder.get(id) ?? 0) + Number(values[1]));
        if (command === 'del' || command === 'unlink' || command === 'hmset') holder.set(id, 0);
        if (command === 'hdel' && values.includes('ats')) holder.set(id, 0);
      }
      if (script === null || !FENCED.has(script) || writes.length === 0) continue;
      const id = keys.map((key) => job.exec(key)?.[1]).find((each) => each !== undefined);
      if (id === undefined) continue;
      const ats = Number(args[1]);
      const held = holder.get(id) ?? ats;
      if (ats < held) broken.push(`${id}: attempt ${ats} wrote with ${script} after attempt ${held} had begun`);
      if (ats > held) holder.set(id, ats); // the witness missed the start of this attempt
    }
    return broken;
  },

  /** A paid call that arrives after the deadline of its intent is not billed. */
  I5: (evidence) => {
    const deadlines = intentsById(evidence.executed, evidence.prefix);
    return billedCalls(evidence).flatMap(({ id, call }) => {
      const until = Math.max(...(deadlines.get(id) ?? []).filter(({ at }) => at <= call.at).map((each) => each.until));
      if (!Number.isFinite(until) || call.at <= until + ARRIVAL_MS) return [];
      return [`${id} was billed for a call that arrived ${call.at - until} ms after its intent's deadline`];
    });
  },

  /** The work of a killed worker resumes in time. If an intent is open, the time starts at the intent's deadline. */
  I6: ({ kills, executed, prefix, limits, settledAt, windows, saturated }) =>
    (saturated ? [] : kills).flatMap(({ at, sources, freeAt }) => {
      if (windows.some(({ from, to, why }) => why !== 'gate' && to > at && from < freeAt + limits.resumeMs)) return [];
      const dead = new Set(sources);
      return [...heldAt(executed, prefix, dead, at)].flatMap(([id, openUntil]) => {
        const next = executed.find(
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

  /** Waiting work makes progress, and no work waits forever. */
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

  /** The vendor receives the bytes of the source, and the stored frame is the vendor's. */
  I8: ({ accepted, views, calls, objects, frames, forged }) => {
    const broken: string[] = [];
    const vendors = new Set(objects.filter(({ bucket }) => bucket.startsWith('faceid-result')).map(({ md5 }) => md5));
    const sources = new Map(
      accepted.flatMap(({ liveData, image }) => [liveData, image]).map(({ md5, bytes }) => [md5, bytes]),
    );
    for (const { bucket, key, md5, sizeBytes } of objects) {
      if (bucket.startsWith('faceid-result')) continue;
      if (sources.get(md5) !== sizeBytes) broken.push(`${bucket}/${key} has bytes that match no source`);
    }
    const puts = groupById(
      calls.filter(({ action, code }) => action === 'PutObject' && code === 'OK'),
      (call) => call.objects?.[0] ?? '',
    );
    for (const { id, liveData, image } of accepted) {
      for (const put of puts.get(id) ?? []) {
        const sent = put.objects?.[0]?.endsWith('/image') === true ? image : liveData;
        if (put.bytes !== sent.bytes)
          broken.push(`${put.objects?.[0]} has ${put.bytes} bytes, but its source has ${sent.bytes}`);
      }
      const view = views.get(id) ?? null;
      if (view === null || view.frame !== 'stored' || view.bestFrame === null) continue;
      const kept = frames.get(view.bestFrame.path);
      if (kept === undefined) broken.push(`${id} is recorded as having a stored frame, but the file is missing`);
      else if (kept.md5 !== view.bestFrame.md5 || !vendors.has(kept.md5) || forged.has(kept.md5))
        broken.push(`${id} stores a frame that is not the vendor's`);
    }
    return broken;
  },

  /** Any number of enqueues with one key create one verification. */
  I9: ({ accepted, executed, prefix }) => {
    const broken: string[] = [];
    const byKey = new Map<string, Set<string>>();
    for (const { key, id } of accepted) byKey.set(key, (byKey.get(key) ?? new Set()).add(id));
    for (const [key, ids] of byKey) if (ids.size > 1) broken.push(`${key} has ${ids.size} verifications`);
    const claims = countBy(
      // The script name is not checked, because a script that was sent as text may have no name.
      certain(executed)
        .flatMap(({ writes }) => journalWrites(writes, prefix))
        .filter(({ fields }) => fields.fp !== undefined),
      ({ id }) => id,
    );
    for (const [id, count] of claims) if (count > 1) broken.push(`${id} was claimed as new ${count} times`);
    return broken;
  },

  /** The vendor refuses no call for exceeding the rate. */
  I10: ({ calls, limits }) => {
    const throttled = calls.filter(
      ({ action, code, fault }) => DETECT.test(action) && code === 'RequestLimitExceeded' && fault === undefined,
    );
    return throttled.length === 0
      ? []
      : [`the vendor refused ${throttled.length} calls for exceeding ${limits.qps} per second`];
  },

  /** If a job kills its worker each time, the job is given up after a bounded number of starts. */
  I11: ({ executed, prefix, limits }) => {
    const starts = countBy(
      certain(executed)
        .flatMap(({ script, writes }) => (script === 'begin-attempt' ? journalWrites(writes, prefix) : []))
        .filter(({ fields }) => fields.begun !== undefined),
      ({ id }) => id,
    );
    const yields = countBy(
      executed
        .flatMap(({ script, writes }) =>
          script === 'requeue' || script === 'hold-for-review' || script === 'park-session'
            ? journalWrites(writes, prefix)
            : [],
        )
        .filter(({ fields }) => fields.state !== undefined),
      ({ id }) => id,
    );
    return [...starts].flatMap(([id, count]) => {
      const crashes = count - (yields.get(id) ?? 0) - 1;
      return crashes > limits.crashBudget ? [`${id} was started ${count} times`] : [];
    });
  },

  /** Planted personal data does not occur in any forbidden place. */
  I12: ({ texts, canaries }) =>
    [...texts].flatMap(([where, text]) => {
      const found = canaries.filter((canary) => text.includes(canary));
      return found.length === 0 ? [] : [`${where} contains ${found.slice(0, 3).join(', ')}`];
    }),

  /** After all work has ended, Redis contains only records and structures of bounded size. */
  I13: ({ left, prefix, settled, accepted, views }) => {
    if (!settled) return [];
    const held = [...views.values()].filter((view) => view?.state === 'held').length;
    return left.flatMap(({ key, type, size }) => {
      const name = key.slice(prefix.length + 1);
      if (HELD_KEYS.test(name))
        return size <= held ? [] : [`${key} has ${size} entries, but ${held} verifications are held`];
      const known = AT_REST.find(([pattern]) => pattern.test(name));
      if (known === undefined) return [`${key} (${type}, ${size}) was left behind`];
      const [, most] = known;
      return size > Math.max(most ?? 0, 5_000, accepted.length * 50) ? [`${key} has grown to ${size}`] : [];
    });
  },

  /**
   * All data that must be erased is erased. Each end queues at most one erase job, and a notification if the
   * verification has a webhook.
   */
  I14: ({ accepted, views, objects, frames, executed, left, prefix, excused, erased, lossy }) => {
    const jobs = new Map<string, Set<string>>();
    const job = new RegExp(`^${escapeRegExp(prefix)}:erase:(erase-(v\\w+)-\\d+)$`);
    for (const { writes } of executed) {
      for (const { command, key } of writes) {
        const [, name, id] = (command === 'hmset' && job.exec(key)) || [];
        if (name !== undefined && id !== undefined) jobs.set(id, (jobs.get(id) ?? new Set()).add(name));
      }
    }
    const objectsOf = groupById(objects, ({ key }) => key);
    const afterErasure = [...erased].flatMap((id) => {
      const remaining = (objectsOf.get(id) ?? []).map(({ key }) => key);
      const kept = [...frames.keys()].filter((path) => path.includes(id));
      return remaining.length + kept.length === 0
        ? []
        : [`${id} was erased, but ${[...remaining, ...kept].join(', ')} remain`];
    });
    const leftKeys = new Set(left.map(({ key }) => key));
    const isNotified = (id: string, event: string) => leftKeys.has(`${prefix}:notify:notify-${id}-${event}`);
    const unnotified = idsOf(accepted.filter(({ hasWebhook }) => hasWebhook)).flatMap((id) => {
      const view = views.get(id) ?? null;
      const event = erased.has(id) ? 'erased' : view !== null && isTerminal(view.state) ? 'ended' : null;
      return event === null || isNotified(id, event) ? [] : [`no notification says that ${id} was ${event}`];
    });
    const afterEnds = idsOf(accepted).flatMap((id) => {
      const view = views.get(id) ?? null;
      if (excused.has(id) || view === null || !isTerminal(view.state) || view.upload !== 'own-bucket') return [];
      const remaining = objectsOf.get(id) ?? [];
      if (remaining.length > 0) return [`${remaining.length} objects of ${id} remain in the bucket`];
      const names = jobs.get(id)?.size ?? 0;
      return names > 1 && !lossy ? [`${id} was queued for erasure under ${names} ids`] : [];
    });
    return [...afterErasure, ...afterEnds, ...unnotified];
  },

  /** No verification ends because the vendor or the network to the vendor was down. */
  I15: ({ accepted, views }) =>
    idsOf(accepted).flatMap((id) => {
      const view = views.get(id) ?? null;
      const code = view?.state === 'failed' ? (view.reason?.code ?? '') : '';
      return OUTAGE.has(code) ? [`${id} ended for an outage: ${code}`] : [];
    }),

  /**
   * The trouble of one caller or of one machine affects nobody else. No verification ends because of a machine's fault.
   * The gate closes only if the vendor has refused the account. While a caller's host stalls, the verifications of
   * other callers end.
   */
  I16: ({ accepted, views, calls, executed, prefix, stalls }) => {
    const blamed = idsOf(accepted).flatMap((id) => {
      const view = views.get(id) ?? null;
      const code = view?.state === 'failed' ? (view.reason?.code ?? '') : '';
      return MACHINE.has(code) ? [`${id} ended for a fault of one machine: ${code}`] : [];
    });
    const wasRefused = calls.some(({ code }) => code !== undefined && REFUSED_ACCOUNT.test(code));
    const closed = executed
      .flatMap(({ writes }) => writes)
      .filter(({ key, args }) => key.startsWith(`${prefix}:gate:`) && args.includes('closed'));
    const gates = new Set(
      wasRefused ? [] : closed.map(({ key }) => `${key} closed, but the account was never refused`),
    );
    const endedAt = endTimes(executed, prefix);
    const delayed = stalls.flatMap(({ from, acceptedUntil, to, caller }) =>
      accepted
        .filter((each) => each.caller !== caller && each.at >= from && each.at <= acceptedUntil)
        .filter(({ id }) => (endedAt.get(id) ?? Number.POSITIVE_INFINITY) > to)
        .map(({ id }) => `${id} had not ended although only ${caller} stalled, for ${to - from} ms`),
    );
    return [...blamed, ...gates, ...delayed];
  },

  /**
   * The ledger contains each billed call, each billed attempt of a session, and what a verification reports. Everything booked as
   * paid was billed.
   */
  I17: ({ calls, ledger, views, lossy }) => {
    if (lossy) return [];
    const { paidCalls, possiblyPaidCalls } = ledger;
    const billed = calls.filter(
      ({ event, action, billed: is }) =>
        is === true && (event === 'attempt' || (event === 'call' && (DETECT.test(action) || action === OPINION_CALL))),
    );
    const told = (kind: 'paidCalls' | 'possiblyPaidCalls') =>
      [...views.values()].reduce((sum, view) => sum + (view?.[kind] ?? 0) + (view?.secondOpinion?.[kind] ?? 0), 0);
    const broken: string[] = [];
    const says = `the ledger says ${paidCalls} + ${possiblyPaidCalls}`;
    if (billed.length > paidCalls + possiblyPaidCalls) broken.push(`${billed.length} calls were billed, and ${says}`);
    if (billed.length < paidCalls) broken.push(`only ${billed.length} calls were billed, and ${says}`);
    const [paid, possiblyPaid] = [told('paidCalls'), told('possiblyPaidCalls')];
    if (paid > paidCalls || possiblyPaid > possiblyPaidCalls)
      broken.push(`the verifications say ${paid} + ${possiblyPaid}, and ${says}`);
    return broken;
  },
};

/** If a fault may make Redis lose acknowledged writes, these invariants are not checked. */
const LOST_WITH_REDIS: readonly Invariant[] = ['I2', 'I3', 'I4', 'I9'];

export function judge(evidence: Evidence): Violation[] {
  const applicable = INVARIANTS.filter((invariant) => !evidence.lossy || !LOST_WITH_REDIS.includes(invariant));
  const found = applicable.flatMap((invariant) =>
    judges[invariant](evidence).map((message) => ({ invariant, message })),
  );
  const own = evidence.findings.map(({ invariant, message }) => ({ invariant: invariant as Invariant, message }));
  return [...found, ...own];
}

// ── reading the evidence ────────────────────────────────────────────────────────────────────────────────────────────

function idsOf(accepted: Evidence['accepted']): string[] {
  return [...new Set(accepted.map(({ id }) => id))];
}

/**
 * Finds the verification of a billed call by the object names, or by the objects' bytes if the vendor chose the names.
 */
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

/** Groups the items by the id of a verification in their path. Items without an id are left out. */
function groupById<T>(items: readonly T[], pathOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const id = /\/(v[0-9a-z]{25})\//.exec(`/${pathOf(item)}`)?.[1];
    if (id === undefined) continue;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [item]);
    else group.push(item);
  }
  return groups;
}

interface JournalWrite {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

function journalWrites(writes: ExecutedCommand['writes'], prefix: string): JournalWrite[] {
  const begins = `${prefix}:v:`;
  return writes.flatMap(({ command, key, args }) => {
    if (command !== 'hset' || !key.startsWith(begins)) return [];
    const fields: Record<string, string> = {};
    for (let i = 0; i + 1 < args.length; i += 2) fields[args[i] ?? ''] = args[i + 1] ?? '';
    return [{ id: key.slice(begins.length), fields }];
  });
}

/** Returns the commands that no kill of Redis can have undone. */
function certain(executed: readonly ExecutedCommand[]): readonly ExecutedCommand[] {
  return executed.filter(({ mayBeLost }) => mayBeLost !== true);
}

function endsById(executed: readonly ExecutedCommand[], prefix: string): Map<string, string[]> {
  const ends = new Map<string, string[]>();
  for (const { writes } of executed) {
    for (const { id, fields } of journalWrites(writes, prefix)) {
      if (fields.endedAt !== undefined) ends.set(id, [...(ends.get(id) ?? []), fields.state ?? '?']);
    }
  }
  return ends;
}

function endTimes(executed: readonly ExecutedCommand[], prefix: string): Map<string, number> {
  const ends = new Map<string, number>();
  for (const { at, writes } of executed) {
    for (const { id, fields } of journalWrites(writes, prefix)) if (fields.endedAt !== undefined) ends.set(id, at);
  }
  return ends;
}

function intentsById(
  executed: readonly ExecutedCommand[],
  prefix: string,
): Map<string, { at: number; until: number }[]> {
  const intents = new Map<string, { at: number; until: number }[]>();
  for (const { at, writes } of executed) {
    for (const { id, fields } of journalWrites(writes, prefix)) {
      const until = deadlineOf(fields.open);
      if (until !== null) intents.set(id, [...(intents.get(id) ?? []), { at, until }]);
    }
  }
  return intents;
}

/** Scripts that count as progress of a verification. A repeated request for admission does not count. */
const MOVES: ReadonlySet<string> = new Set([
  'claim-verification',
  'commit-stage',
  'declare-intent',
  'record-outcome',
  'mark-outcome-unknown',
  'requeue',
  'hold-for-review',
  'resolve-held',
  'settle',
  'cancel',
  'expire-overdue',
]);

/** Finds periods in which Redis and a worker were up but no waiting work made progress. */
function standstills(evidence: Evidence): string[] {
  const { executed, prefix, accepted, excused, limits, windows, gaps, kills, settledAt } = evidence;
  const noWorker = kills.map(({ at, freeAt }) => ({ from: at, to: freeAt }));
  const waiting = new Set<string>();
  const ended = new Set<string>();
  const known = new Set(idsOf(accepted).filter((id) => !excused.has(id)));
  let last = 0;
  const broken: string[] = [];
  const check = (at: number) => {
    const away = [...windows, ...gaps, ...noWorker].filter(({ from, to }) => from < at && (to ?? at) > last);
    const lost = away.reduce((sum, { from, to }) => sum + Math.min(to ?? at, at) - Math.max(from, last), 0);
    const still = at - last - lost;
    if (waiting.size > 0 && still > limits.standstillMs)
      broken.push(
        `no progress for ${Math.round(still / 1_000)} s until ${new Date(at).toISOString()} with ${waiting.size} verifications waiting: ${[...waiting].slice(0, 3).join(', ')}`,
      );
  };
  for (const { at, script, writes } of executed) {
    const moved = journalWrites(writes, prefix).filter(({ id }) => known.has(id));
    for (const { id, fields } of moved) {
      if (fields.endedAt !== undefined) ended.add(id);
      else if (fields.state !== undefined) ended.delete(id); // it is retried
    }
    if (script === null || !MOVES.has(script) || writes.length === 0) continue;
    check(at);
    last = at;
    for (const { id } of moved) {
      // The vendor's late answer to an earlier attempt may be recorded after the end.
      if (ended.has(id) || script === 'hold-for-review') waiting.delete(id);
      else waiting.add(id);
    }
  }
  if (waiting.size > 0) check(settledAt);
  return broken;
}

function deadlineOf(open: string | undefined): number | null {
  const found = /"until":([\d.e+]+)/.exec(open ?? '');
  return found === null ? null : Number(found[1]);
}

/** Returns the verifications that a process was working on when it died, each with the deadline of its open intent. */
function heldAt(
  executed: readonly ExecutedCommand[],
  prefix: string,
  sources: ReadonlySet<string>,
  at: number,
): Map<string, number> {
  const held = new Map<string, number>();
  for (const each of executed) {
    if (each.at > at) break;
    for (const { id, fields } of journalWrites(each.writes, prefix)) {
      if (fields.begun !== undefined) {
        if (sources.has(each.source)) held.set(id, 0);
        else held.delete(id);
      }
      if (fields.open !== undefined && held.has(id)) held.set(id, deadlineOf(fields.open) ?? 0);
      if (fields.endedAt !== undefined || each.script === 'requeue' || each.script === 'hold-for-review')
        held.delete(id);
    }
  }
  return held;
}

function countBy<T>(items: readonly T[], of: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(of(item), (counts.get(of(item)) ?? 0) + 1);
  return counts;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
