/**
 * The promises of docs/reliability.md that one verification's scripts must keep, checked after every step. Each function compares
 * the states before and after a step, and returns what is wrong, or null.
 */
import { isTerminal } from '../../src/domain/verification/states.ts';
import type { EraseJob } from '../../src/redis/erase-queue.ts';
import { notification, occasionOf } from '../../src/redis/notify-queue.ts';
import { endField, erasureField, type FollowUps, outboxField } from '../../src/redis/outbox.ts';
import type { Step } from './step.ts';
import { ACTION, hashOf, MAX_PAYMENTS, OPINION, REGION, type State, WEBHOOK, type World } from './world.ts';

export interface Violation {
  readonly invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I9' | 'I14';
  readonly what: string;
}

interface Moment {
  readonly world: World;
  readonly id: string;
  readonly before: State;
  readonly after: State;
  readonly step: Step;
  /** The journal before and after the step. */
  readonly was: Readonly<Record<string, string>>;
  readonly is: Readonly<Record<string, string>>;
}

type Check = (moment: Moment) => string | null;

/** Records in the facts what the step revealed: the first decision and end, unknown outcomes, claims. */
export function observe(world: World, before: State): void {
  for (const [id, facts] of Object.entries(world.facts)) {
    const key = world.names.journal(id);
    const value = world.snapshot[key];
    if (value === before.snapshot[key]) continue;
    const [was, is] = [hashOf(before.snapshot[key]), hashOf(value)];
    if (is.erased !== undefined) facts.erased = true;
    if (world.redis.sent?.script === 'retry-ended' && is.retries !== was.retries) {
      facts.ended = null;
      facts.retries += 1;
    }
    if (is.fp !== undefined && (was.fp === undefined || was.at !== is.at)) facts.claims += 1;
    if (is.decision !== undefined) facts.decision ??= decisionOf(is);
    if (is.state !== undefined && isTerminal(is.state as 'queued')) facts.ended ??= is.state;
    facts.unknown += Math.max(0, Number(is.maybe ?? 0) - Number(was.maybe ?? 0));
    facts.opinions.unknown += Math.max(0, Number(is['o:maybe'] ?? 0) - Number(was['o:maybe'] ?? 0));
    facts.opinions.first ??= is['s:opinion'] ?? null;
    facts.allowed = Math.max(facts.allowed, Number(is.allowed ?? 0));
  }
}

function decisionOf({ decision, similarity, decidedBy, decidedAt }: Readonly<Record<string, string>>): string {
  return [decision, similarity, decidedBy, decidedAt].join(' ');
}

const CHECKS: readonly (readonly [Violation['invariant'], Check])[] = [
  ['I9', oneClaim],
  ['I1', oneEnd],
  ['I2', payments],
  ['I2', counted],
  ['I3', oneDecision],
  ['I3', keptDecision],
  ['I3', oneOpinion],
  ['I4', fence],
  ['I5', inTime],
  ['I5', waitedFor],
  ['I14', owedObjects],
  ['I14', owedNotices],
  ['I14', owedErasure],
];

/** @returns the first broken promise. */
export function check(world: World, before: State, after: State, step: Step): Violation | null {
  for (const id of Object.keys(after.facts)) {
    const key = world.names.journal(id);
    const moment = {
      world,
      id,
      before,
      after,
      step,
      was: hashOf(before.snapshot[key]),
      is: hashOf(after.snapshot[key]),
    };
    for (const [invariant, holds] of CHECKS) {
      const what = holds(moment);
      if (what !== null) return { invariant, what: `${id}: ${what}` };
    }
  }
  return null;
}

function factsOf({ after, id }: Moment) {
  const facts = after.facts[id];
  if (facts === undefined) throw new Error(`no facts of ${id}`);
  return facts;
}

function has({ world, after, id }: Moment, index: 'live' | 'ended'): boolean {
  const items = after.snapshot[world.names[index]]?.items ?? [];
  return items.some((item, i) => i % 2 === 0 && item === id);
}

/** A terminal state is final, and the indexes agree with the state. */
function oneEnd(moment: Moment): string | null {
  const { is, after } = moment;
  const { ended, erased } = factsOf(moment);
  if (erased) return has(moment, 'live') || has(moment, 'ended') ? 'an erased verification is still in an index' : null;
  if (is.state === undefined) return ended === null ? null : 'a verification that ended has no record';
  if (ended !== null && is.state !== ended) return `it ended as ${ended}, and is now ${is.state}`;
  if (has(moment, 'live') === (ended !== null)) return `it is ${is.state}, and the index of live ones does not agree`;
  if (ended === null && after.snapshot[moment.world.names.journal(moment.id)]?.expires !== null)
    return 'a live record expires';
  return is.state === 'completed' && is.decision === undefined ? 'it is completed without a decision' : null;
}

/** At most one billed call, plus one for each unknown outcome; never more than the limit. */
function payments(moment: Moment): string | null {
  const { is } = moment;
  const { billed, unknown, allowed, erased, opinions } = factsOf(moment);
  const kinds = [
    { what: 'calls', counts: '', billed, unknown, allowed },
    { what: 'calls for an opinion', counts: 'o:', ...opinions, allowed: 0 },
  ];
  for (const { what, counts, ...facts } of kinds) {
    const most = MAX_PAYMENTS + facts.allowed;
    if (facts.billed > 1 + facts.unknown)
      return `${facts.billed} ${what} are billed, and ${facts.unknown} outcomes are unknown`;
    if (facts.billed > most) return `${facts.billed} ${what} are billed: more than ${most}`;
    if (erased) continue;
    const paid = Number(is[`${counts}paid`] ?? 0);
    if (paid > facts.billed) return `${paid} ${what} count as paid, and ${facts.billed} are billed`;
    const booked = paid + Number(is[`${counts}maybe`] ?? 0) + openOf(is, counts);
    if (booked > most) return `${booked} ${what} are paid, possibly paid or open`;
  }
  return null;
}

/** How many calls of the kind are open. */
function openOf(is: Moment['is'], counts: string): number {
  const open = is.open === undefined ? null : (JSON.parse(is.open) as { counts: string });
  return open?.counts === counts ? 1 : 0;
}

/** Every billed call is counted: in the record, and in the ledger, which outlives the record. */
function counted(moment: Moment): string | null {
  const { world, after, is, id } = moment;
  const { billed, erased, opinions } = factsOf(moment);
  const ledger = hashOf(after.snapshot[world.names.costs('day')]);
  const all = Object.values(after.facts).reduce((sum, facts) => sum + facts.billed + facts.opinions.billed, 0);
  const booked = Number(ledger['all|paid'] ?? 0) + Number(ledger['all|maybe'] ?? 0);
  if (booked < all) return `${all} calls are billed, and the ledger has ${booked}`;
  const placed = [ACTION, OPINION].reduce((sum, action) => {
    const place = `${REGION}|${action}|`;
    return sum + Number(ledger[`${place}|paid`] ?? 0) + Number(ledger[`${place}|maybe`] ?? 0);
  }, 0);
  if (placed !== booked) return `the ledger's sum is ${booked}, and its place has ${placed}`;
  if (erased || is.state === undefined) return null;
  for (const [counts, count] of [
    ['', billed],
    ['o:', opinions.billed],
  ] as const) {
    const known = Number(is[`${counts}paid`] ?? 0) + Number(is[`${counts}maybe`] ?? 0) + openOf(is, counts);
    if (known < count) return `${count} calls of ${id} are billed, and the record counts ${known}`;
  }
  return null;
}

/** The first opinion stands, and an accepting end does not lack one that was asked for. Without a decision, there is none. */
function oneOpinion(moment: Moment): string | null {
  const { is } = moment;
  const { erased, opinions } = factsOf(moment);
  if (erased || is.state === undefined) return null;
  const now = is['s:opinion'] ?? null;
  if (opinions.first !== now) return `the opinion was “${opinions.first}”, and is now “${now}”`;
  if (now !== null && is.decision === undefined) return 'it has an opinion, and no decision';
  const isAccepted = is.so !== undefined && is.state === 'completed' && is.decision === 'match';
  return isAccepted && now === null ? 'it ended with a match, and without its opinion' : null;
}

function oneDecision(moment: Moment): string | null {
  const { decision, erased } = factsOf(moment);
  if (erased || decision === null) return null;
  const now = decisionOf(moment.is);
  return now === decision ? null : `the decision was “${decision}”, and is now “${now}”`;
}

/** After the end, a record neither gets, changes nor loses a decision. A verification with a decision does not fail. */
function keptDecision({ was, is }: Moment): string | null {
  if (is.state === 'failed' && is.decision !== undefined) return 'it failed, and has a decision';
  if (is.erased !== undefined || was.state === undefined || !isTerminal(was.state as 'queued')) return null;
  return decisionOf(was) === decisionOf(is) ? null : `it had ended, and got the decision “${decisionOf(is)}”`;
}

/** An attempt that has lost its job changes neither record nor indexes. Exception: it may still record a paid outcome. */
function fence({ world, id, before, after, step }: Moment): string | null {
  const { names } = world;
  const { token, ats } = before.actors[step.actor] ?? { pc: '' };
  if (token === undefined || world.redis.sent === null || world.redis.sent.script === 'record-outcome') return null;
  const { lock, job } = names.job(REGION, id);
  const holds = before.snapshot[lock]?.items[0] === token && hashOf(before.snapshot[job]).ats === String(ats);
  if (holds || !world.redis.sent.keys.includes(names.journal(id))) return null;
  const guarded = [
    names.journal(id),
    names.history(id),
    names.live,
    names.ended,
    names.held,
    names.outbox,
    names.deletions,
    lock,
  ];
  const changed = guarded.find((key) => before.snapshot[key]?.text !== after.snapshot[key]?.text);
  return changed === undefined
    ? null
    : `${step.name} without its fence, and changes ${changed.slice(names.prefix.length + 1)}`;
}

/** A call is sent, and billed, only while its intent is open and before the intent's deadline. */
function inTime(moment: Moment): string | null {
  const { before, after, id, was } = moment;
  const left = after.facts[id]?.calls.slice(before.facts[id]?.calls.length ?? 0)[0];
  if (left === undefined) return null;
  if (factsOf(moment).erased) return null; // the worker notices an erasure only when it renews its lease
  const open = was.open === undefined ? null : (JSON.parse(was.open) as { iid: string; until: number });
  if (open?.iid !== left.iid) return `call ${left.iid} leaves, and its intent is not open`;
  if (after.clock >= open.until) return `call ${left.iid} leaves after the deadline of its intent`;
  return left.until > open.until ? `call ${left.iid} may take longer than its intent says` : null;
}

/** An intent does not become unknown before its deadline: until then, the vendor may still receive and answer its call. */
function waitedFor({ before, was, is }: Moment): string | null {
  if (was.open === undefined || is.open !== undefined) return null;
  const open = JSON.parse(was.open) as { iid: string; until: number };
  if (is[`u:${open.iid}`] === undefined || before.clock >= open.until) return null;
  return `call ${open.iid} is taken for unknown before its deadline`;
}

/** One key is one verification: it is claimed once, and its payload never changes. */
function oneClaim(moment: Moment): string | null {
  const { was, is } = moment;
  if (factsOf(moment).claims > 1) return 'it was claimed twice';
  if (was.erased !== undefined && is.erased === undefined) return 'an erased key was claimed again';
  return was.fp !== undefined && is.fp !== undefined && was.fp !== is.fp ? 'its payload was replaced' : null;
}

function entryOf({ world, after }: Moment, field: string): FollowUps {
  return JSON.parse(hashOf(after.snapshot[world.names.outbox])[field] ?? '{}') as FollowUps;
}

/** The ordinary deletions of the verification that no erase worker has made yet. */
function deletionsOf({ world, after, id }: Moment): EraseJob[] {
  const items = after.snapshot[world.names.deletions]?.items ?? [];
  return items
    .flatMap((item, i) => (i % 2 === 0 ? [JSON.parse(item) as EraseJob] : []))
    .filter((each) => each.id === id);
}

/** The objects of an ended verification are deleted, including those that a stale worker may still upload. */
function owedObjects(moment: Moment): string | null {
  const { after, id } = moment;
  const { ended, objects, jobs, erased } = factsOf(moment);
  if (ended === null && !erased) return null;
  if (jobs.includes('forget') || entryOf(moment, erasureField(id)).forget !== undefined) return null;
  const { erase } = entryOf(moment, endField({ id, retries: factsOf(moment).retries }));
  const owed = [
    ...jobs.filter((job) => job.startsWith('erase-')),
    ...(erase === undefined ? [] : [`erase-${erase.generations}${erase.secondPass === undefined ? '' : '+'}`]),
    ...deletionsOf(moment).map(({ generations }) => `erase-${generations}`),
  ];
  const covers = (generation: number, again: boolean) =>
    owed.some((job) => Number.parseInt(job.slice(6), 10) > generation && (!again || job.endsWith('+')));
  const forgotten = objects.find((generation) => !covers(generation, false));
  if (forgotten !== undefined) return `nobody will delete the objects of generation ${forgotten}`;
  const stale = Object.values(after.actors).find(
    (actor) => actor.id === id && actor.pc === 'upload' && !covers(actor.gen, true),
  );
  return stale === undefined ? null : `a stale worker may upload generation ${stale.gen}, and nobody will look again`;
}

/** An endpoint is notified of each decision and each end. */
function owedNotices(moment: Moment): string | null {
  const { id, is } = moment;
  const { ended, erased, decision, jobs, retries } = factsOf(moment);
  if (erased || !(is.rq ?? '').endsWith(`|${WEBHOOK}`)) return null;
  const isTold = (event: 'decided' | 'ended') => {
    const { notify } = notification({ id, webhook: WEBHOOK, retries }, event);
    if (notify === undefined || jobs.includes(`notify-${occasionOf(notify)}`)) return true;
    const field = event === 'ended' ? endField({ id, retries }) : outboxField(notify);
    return entryOf(moment, field).notify !== undefined;
  };
  if (decision !== null && !isTold('decided')) return 'nobody will notify the endpoint of the decision';
  return ended !== null && !isTold('ended') ? 'nobody will notify the endpoint of the end' : null;
}

/** After an erasure, the verification's data outside Redis is deleted. */
function owedErasure(moment: Moment): string | null {
  const { id, is } = moment;
  if (is.pending === undefined || factsOf(moment).jobs.includes('forget')) return null;
  return entryOf(moment, erasureField(id)).forget === undefined ? 'nobody will finish the erasure' : null;
}
