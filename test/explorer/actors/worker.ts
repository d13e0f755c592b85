/**
 * A verify worker with one slot. It follows `src/pipeline`: verify-worker.ts, attempt.ts, payment.ts, attempt-ends.ts. What a
 * worker does between two scripts is part of the step of the preceding script, because no other actor can see it.
 *
 * Only the answer of a script can tell this worker that it has lost its lease. The product's worker also has a timer that ends
 * the lease. Like `pay` in the product, this worker checks lease and slot once more just before it sends the paid call.
 */
import { notification } from '../../../src/redis/notify-queue.ts';
import { endField, outboxField, promisesOf } from '../../../src/redis/outbox.ts';
import { beginAttempt } from '../../../src/redis/scripts/begin-attempt.ts';
import { markAlone } from '../../../src/redis/scripts/mark-alone.ts';
import { renewLease } from '../../../src/redis/scripts/renew-lease.ts';
import { type Actor, overLossyConnection, type Sketch, stepsOf } from '../step.ts';
import { ACTION, LEASE_MS, type Local, REGION, type World } from '../world.ts';
import { working } from './worker-stages.ts';

export interface WorkerOptions {
  /** Whether the worker may be killed. */
  readonly dies?: boolean;
  /** How an upload may fail. */
  readonly failures?: readonly ('retry' | 'rewind' | 'hold' | 'fail')[];
  /** Whether the connection of the paid call may be refused. */
  readonly unsent?: boolean;
  readonly renews?: boolean;
  /** Whether a batch call with an unknown outcome is held for an operator. */
  readonly review?: boolean;
  readonly marksAlone?: boolean;
  readonly crashBudget?: number;
  readonly capacity?: number;
  readonly id?: string;
  /** BullMQ's token for the worker's slot. All attempts in this slot have the same token. By default, no other actor has it. */
  readonly token?: string;
  /** Refuses a liveness package that was answered before. */
  readonly refusesReuse?: boolean;
  /** The limit of calls that are paid or possibly paid. */
  readonly maxPayments?: number;
  /** Whether failures of the vendor are reported to its breaker. */
  readonly reportsTrouble?: boolean;
  /** Runs a session instead of a verification. */
  readonly session?: boolean;
}

export interface WorkerLocal extends Local {
  pc: string;
  token: string;
  ats: number;
  gen: number;
  /** The number of paid calls that the worker has declared. */
  n: number;
  iid: string;
  at: number;
  until: number;
  validUntil: number;
  wait: number;
  open: boolean;
  cancelled: boolean;
  uploaded: boolean;
  decided: boolean;
  /** Whether the verification asks for a second opinion, and whether there is one. */
  asks: boolean;
  judged: boolean;
  /** Whether it runs a session, whether the session has its token, and when this attempt began. */
  session: boolean;
  started: boolean;
  begunAt: number;
  probe: boolean;
  epoch: string;
  breakers: string;
  reason: string;
  seen: { generation: number; starts: number; unreportedRuns: number; retries: number; webhook: string | null } | null;
}

const IDLE = {
  ...{ pc: 'idle', ats: 0, gen: 0, iid: '', at: 0, until: 0, validUntil: 0, wait: 0, open: false, cancelled: false },
  ...{
    uploaded: false,
    decided: false,
    asks: false,
    judged: false,
    started: false,
    begunAt: 0,
    probe: false,
    epoch: '0',
    breakers: '0',
    reason: '',
    seen: null,
  },
};

export function worker(name: string, options: WorkerOptions = {}): Actor {
  const { id = 'a', token = `${name}:0` } = options;
  const { session = false } = options;
  const start: WorkerLocal = { ...IDLE, id, token, n: 0, session };
  return {
    name,
    start,
    steps: (world, local) => {
      const at = local as WorkerLocal;
      if (at.pc === 'dead') return [];
      const sketches = [...next(world, at, id, options)];
      const mayLose = (world.left.replies ?? 0) > 0;
      const steps = overLossyConnection(name, id, at, sketches, mayLose);
      if (options.dies === true && at.pc !== 'idle' && (world.left.deaths ?? 0) > 0)
        steps.push(...dies(name, id, world));
      return steps;
    },
  };
}

function dies(name: string, id: string, { left }: World) {
  return stepsOf<WorkerLocal>(name, id, [
    {
      does: 'dies',
      touches: ['left:deaths', `calls:${id}`],
      act: ({ world, local, facts }) => {
        world.left.deaths = (left.deaths ?? 0) - 1;
        for (const call of facts.calls) if (call.by === name && call.state === 'answered') call.state = 'billed';
        world.actors[name] = { ...IDLE, id, pc: 'dead', token: local.token, n: 0, session: local.session };
      },
    },
  ]);
}

/** Ends the attempt and leaves the job unchanged. */
export function lose(local: WorkerLocal): void {
  delete local.entry;
  Object.assign(local, IDLE);
}

function* next(world: World, local: WorkerLocal, id: string, options: WorkerOptions): Generator<Sketch<WorkerLocal>> {
  switch (local.pc) {
    case 'idle':
      if (mayTake(world, id)) yield take(id);
      return;
    case 'taken':
      yield begin(id, options);
      return;
    case 'alone':
      yield alone(id);
      return;
    case 'adds':
      yield* adds(id);
      return;
    case 'clears':
      yield clears(id);
      return;
    case 'delays':
    case 'finishes':
    case 'leaves':
      yield moves(id);
      return;
    default:
      if (options.renews === true && (world.left.renewals ?? 0) > 0) yield renew(id);
      yield* working(world, local, id, options);
  }
}

// ── the job ────────────────────────────────────────────────────────────────────────────────────────────────────────

function mayTake(world: World, id: string): boolean {
  const { queue, due } = world.factsOf(id);
  if ((world.left.takes ?? 0) <= 0) return false;
  return queue === 'waiting' || (queue === 'delayed' && due <= world.clock);
}

/** BullMQ's moveToActive: the lock, and the count of started attempts. */
function take(id: string): Sketch<WorkerLocal> {
  return {
    does: 'takes the job',
    alone: true,
    touches: [`queue:${id}`, 'left:takes'],
    readsClock: true,
    act: ({ world, local, facts }) => {
      world.left.takes = (world.left.takes ?? 0) - 1;
      facts.queue = 'active';
      const ats = world.startsOf(id) + 1;
      world.setField(world.names.job(REGION, id).job, 'ats', String(ats));
      world.setLock(id, local.token);
      lose(local);
      Object.assign(local, { pc: 'taken', ats, validUntil: world.clock + LEASE_MS * 0.9 });
    },
  };
}

/** BullMQ's moveToDelayed and moveToFinished: both do nothing without the lock. The job of a parked session is removed. */
function moves(id: string): Sketch<WorkerLocal> {
  return {
    does: 'moves the job',
    alone: true,
    touches: [`queue:${id}`],
    readsClock: true,
    act: ({ world, local, facts }) => {
      world.touch(world.names.job(REGION, id).lock);
      if (world.lockOf(id) === local.token && facts.queue === 'active') {
        world.setLock(id, null);
        facts.queue = local.pc === 'delays' ? 'delayed' : local.pc === 'leaves' ? 'none' : 'finished';
        if (local.pc === 'leaves') world.put(world.names.job(REGION, id).job, null);
        facts.due = local.pc === 'delays' ? world.clock + local.wait : 0;
      }
      lose(local);
    },
  };
}

export function ref(local: WorkerLocal, id: string) {
  return { id, region: REGION, action: ACTION, token: local.token, ats: local.ats } as const;
}

function begin(id: string, { crashBudget = 3, capacity = 10, marksAlone = false }: WorkerOptions): Sketch<WorkerLocal> {
  return {
    does: 'begins',
    act: async ({ local, script }) => {
      const admission = { capacity, holdMs: LEASE_MS };
      const start = await script((deployment) =>
        beginAttempt(deployment, ref(local, id), { lane: 'batch', crashBudget, admission }),
      );
      const { verdict, record } = start;
      if (verdict === 'lost') return lose(local);
      if (record === null) return finish(local);
      const { generation, starts, unreportedRuns, openIntent, cancelled, outcomes, webhook, retries } = record;
      Object.assign(local, {
        ...{ gen: generation, open: openIntent !== null, cancelled, wait: start.waitMs },
        ...{ uploaded: outcomes.upload !== undefined, decided: outcomes.detect !== undefined },
        ...{ asks: record.secondOpinion, judged: outcomes.opinion !== undefined },
        ...{ started: outcomes.start !== undefined, begunAt: start.now },
        ...{
          epoch: start.epoch,
          breakers: start.breakers.epoch,
          seen: { generation, starts, unreportedRuns, retries, webhook },
        },
      });
      switch (verdict) {
        case 'terminal':
          local.pc = 'adds';
          local.reason = 'repeat';
          return;
        case 'held':
        case 'wait':
          local.pc = 'delays';
          return;
        case 'go':
          local.pc = marksAlone && unreportedRuns > 1 ? 'alone' : placeOf(local);
          return;
        default:
          fail(local, verdict);
      }
    },
  };
}

function alone(id: string): Sketch<WorkerLocal> {
  return {
    does: 'marks that it is alone',
    act: async ({ local, script }) => {
      const answer = await script((deployment) => markAlone(deployment, ref(local, id)));
      if (answer === 'lost') lose(local);
      else local.pc = placeOf(local);
    },
  };
}

function renew(id: string): Sketch<WorkerLocal> {
  return {
    does: 'renews its lease',
    touches: ['left:renewals'],
    act: async ({ world, local, script }) => {
      world.left.renewals = (world.left.renewals ?? 0) - 1;
      const answer = await script((deployment) => renewLease(deployment, ref(local, id), LEASE_MS));
      if (answer === 'lost') return lose(local);
      local.validUntil = world.clock + LEASE_MS * 0.9;
      // A cancel does not stop a call that was sent: the worker waits for its answer.
      if (answer === 'cancel' && !['calling', 'records'].includes(local.pc)) fail(local, 'cancelled');
    },
  };
}

/** Returns the first step that an attempt still has to take. */
export function placeOf(local: WorkerLocal): string {
  if (local.open) return 'unknown';
  if (local.cancelled) return fail(local, 'cancelled').pc;
  if (local.decided) return local.asks && !local.judged ? 'declares' : 'settles';
  if (local.started) return 'collects';
  if (local.wait > 0) return 'admission';
  if (local.session) return 'declares';
  return local.uploaded ? 'declares' : 'upload';
}

/** Lets the worker settle the verification with this reason. A decision that was recorded stays. */
export function fail(local: WorkerLocal, reason: string): WorkerLocal {
  return Object.assign(local, { pc: 'settles', reason });
}

function finish(local: WorkerLocal): void {
  local.pc = 'finishes';
}

// ── after the end ──────────────────────────────────────────────────────────────────────────────────────────────────

export function promises(local: WorkerLocal, id: string, webhook: string | null) {
  const { generation = 0, starts = 0, unreportedRuns = 0, retries = 0 } = local.seen ?? {};
  const upload = local.session ? 'in-request' : 'own-bucket';
  const record = { id, region: REGION, action: ACTION, upload, webhook } as const;
  return promisesOf({ ...record, tenant: null, generation, starts, unreportedRuns, retries });
}

/** The outbox adds the jobs, and then removes its entry. */
function* adds(id: string): Generator<Sketch<WorkerLocal>> {
  yield {
    does: 'adds the follow-ups',
    alone: true,
    touches: [`jobs:${id}`],
    act: ({ world, local }) => {
      const { outbox } = world.names;
      world.touch(`${outbox}#${id}`);
      const field = fieldOf(local, id);
      const entry = world.hash(outbox)[field];
      // A run that repeats earlier follow-ups reads them from the outbox; any other run still has them in memory.
      const own = local.reason === 'repeat' || local.reason === 'notice' ? undefined : local.entry;
      const text = own ?? entry;
      if (text !== undefined) world.addJobs(id, JSON.parse(text));
      local.entry = text;
      local.pc = text === undefined ? afterClearing(local) : 'clears';
    },
  };
}

function clears(id: string): Sketch<WorkerLocal> {
  return {
    does: 'removes the outbox entry',
    alone: true,
    act: ({ world, local }) => {
      const { outbox } = world.names;
      world.setField(outbox, fieldOf(local, id), null);
      world.touch(`${outbox}#${id}`);
      local.pc = afterClearing(local);
    },
  };
}

function fieldOf({ reason, seen }: WorkerLocal, id: string): string {
  const { retries = 0, webhook = null } = seen ?? {};
  const { notify } = notification({ id, webhook, retries }, 'decided');
  return reason === 'notice' && notify !== undefined ? outboxField(notify) : endField({ id, retries });
}

function afterClearing(local: WorkerLocal): string {
  return local.reason === 'notice' ? 'settles' : 'finishes';
}
