/**
 * These faults hit sessions: workers die at any point of a session, the vendor's answers get lost, and links to media die soon. The
 * fault plays the phones, and checks what no invariant says: that an end fits what happened on the phone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StartedSession } from '../../../src/client/contract.ts';
import { Failure } from '../../../src/domain/errors/failure.ts';
import type { SessionRequest } from '../../../src/domain/verification/session-request.ts';
import { isTerminal } from '../../../src/domain/verification/states.ts';
import type { VerificationView } from '../../../src/domain/verification/view.ts';
import type { SessionView, Fault as VendorFault } from '../../../src/emulator/control.ts';
import type { PlayStep } from '../../../src/emulator/play-step.ts';
import type { Fault } from '../fault.ts';
import type { Random } from '../random.ts';
import { type ChaosWorld, pollUntil } from '../world.ts';

const SESSIONS = 8;
/** Sessions end at this time after their start, also if the person does not come back, or might try again. */
const GIVE_UP_MS = 20_000;
/** Shorter than some downloads take, so that the product must ask for fresh links. */
const MEDIA_LIFE_MS = 2_000;

const STARTS = [
  'ApplySdkVerificationToken',
  'GetFaceIdTokenIntl',
  'ApplyLivenessToken',
  'ApplyWebVerificationBizTokenIntl',
] as const;
const RESULTS = [
  'GetSdkVerificationResult',
  'GetFaceIdResultIntl',
  'GetLivenessResult',
  'GetWebVerificationResultIntl',
];
const SCRIPTS = ['declare-intent', 'record-outcome', 'park-session', 'feed-sessions', 'record-result', 'settle'];
const EDGES = ['sources.open', 'faceId.startFlow', 'faceId.flowResult', 'links.get', 'sink.store'];
const STAGES = ['start', 'collect', 'download'];
const POINTS = [
  ...SCRIPTS.flatMap((name) => [`script:${name}:before`, `script:${name}:after`]),
  ...EDGES.flatMap((name) => [`edge:${name}:before`, `edge:${name}:after`]),
  ...STAGES.flatMap((name) => [`stage:${name}:begin`, `stage:${name}:end`]),
];

/** What the person does. */
const PLANS = ['match', 'match', 'match', 'spoof', 'exhaust', 'leave', 'never'] as const;
type Plan = (typeof PLANS)[number];

interface Played {
  readonly started: StartedSession;
  readonly plan: Plan;
}

function vendorFaults(random: Random): VendorFault[] {
  const [start, result] = [random.pick(STARTS), random.pick(RESULTS)];
  return [
    { kind: 'drop', action: start },
    { kind: 'drop', action: start, when: 'before' },
    { kind: 'error', action: start, code: 'InternalError' },
    { kind: 'status', action: start, status: 502 },
    { kind: 'drop', action: result },
    { kind: 'error', action: result, code: 'RequestLimitExceeded' },
    { kind: 'delay', action: result, ms: 1_500 },
    { kind: 'cut', service: 'cos', action: 'GetObject', object: 'faceid-result' },
    { kind: 'status', service: 'cos', action: 'GetObject', object: 'faceid-result', status: 503 },
  ];
}

export const sessions: Fault = {
  name: 'sessions',
  summary: 'sessions of all token flows while workers are killed, calls get lost, and links to media live two seconds',
  async run(world, random) {
    await world.control.settings({ mediaTtlMs: MEDIA_LIFE_MS });
    for (let left = random.int(2, 4); left > 0; left -= 1)
      await world.control.fault({ ...random.pick(vendorFaults(random)), times: random.int(1, 2) });
    await world.fleet.start();
    const victim = await world.fleet.start([{ at: random.pick(POINTS), nth: random.int(1, 4), act: 'kill' }]);
    const played = await Promise.all(
      Array.from({ length: SESSIONS }, async (_, index) => {
        const plan = random.pick(PLANS);
        const request = await requestOf(world, random, STARTS[index % STARTS.length] ?? STARTS[0]);
        return playSession(world, { plan, request, isTold: random.chance(0.7) });
      }),
    );
    if (!victim.alive) await world.fleet.start();
    const ids = played.flatMap(({ started }) => started.id);
    const views = await untilEnded(world, ids);
    const phones = new Map((await world.control.sessions()).map((each) => [each.token, each]));
    for (const each of played) checkEnd(world, each, views.get(each.started.id) ?? null, phones);
    await checkStarts(world, [...views.values()]);
  },
};

async function requestOf(world: ChaosWorld, random: Random, action: SessionRequest['action']): Promise<SessionRequest> {
  // The photo of a request that is never sent.
  const { request } = await world.request();
  const image = request.resources.image;
  if (image === undefined) throw new Error('a request of this kit has a photo');
  const resources = { image };
  const deadline = new Date(Date.now() + GIVE_UP_MS).toISOString();
  const media: ('bestFrame' | 'liveVideo')[] = ['bestFrame', 'liveVideo'];
  const common = {
    key: `session-${request.key}`,
    region: 'ap-singapore' as const,
    media,
    deadline,
  };
  switch (action) {
    case 'ApplySdkVerificationToken':
      return { ...common, action, parameters: { CheckMode: 2, RetryLimit: 3 }, resources };
    case 'GetFaceIdTokenIntl':
      return { ...common, action, parameters: { CheckMode: 'compare', RetryLimit: 3 }, resources };
    case 'ApplyLivenessToken':
      return { ...common, action };
    case 'ApplyWebVerificationBizTokenIntl': {
      const Config = { LivenessRetryLimit: random.int(1, 3) };
      return { ...common, action, parameters: { RedirectURL: 'https://shop.example.com/{id}', Config }, resources };
    }
  }
}

async function playSession(
  world: ChaosWorld,
  { plan, request, isTold }: { plan: Plan; request: SessionRequest; isTold: boolean },
): Promise<Played> {
  const started = await startSession(world, request);
  const { id, token } = started;
  if (token === null) return { started, plan };
  const step = stepOf(token, plan, request.action);
  if (step !== null) await world.control.play(step);
  if (isTold && plan !== 'never') await patiently(world, () => world.client.finishSession(id));
  return { started, plan };
}

/** The actions whose result tells each attempt. Of others, nobody knows how many were billed. */
const TELLS_ATTEMPTS: readonly string[] = ['ApplySdkVerificationToken', 'ApplyWebVerificationBizTokenIntl'];

function stepOf(token: string, plan: Plan, action: string): PlayStep | null {
  if (plan === 'never') return null;
  if (plan === 'leave') return { token, step: 'leave' };
  if (plan === 'exhaust')
    return { token, step: TELLS_ATTEMPTS.includes(action) ? 'exhaust' : 'finish', card: 'notLive' };
  return { token, step: 'finish', card: plan };
}

/** Repeats the request until it has a token, the session has ended without one, or its deadline refuses another repeat. */
async function startSession(world: ChaosWorld, request: SessionRequest): Promise<StartedSession> {
  for (let last: StartedSession | null = null; ; ) {
    try {
      last = await patiently(world, () => world.client.startSession(request, { timeoutMs: 5_000 }));
    } catch (error) {
      if (last === null || !(error instanceof Failure) || error.field !== 'deadline') throw error;
      return last;
    }
    if (last.token !== null || isTerminal(last.state)) return last;
  }
}

async function patiently<T>(world: ChaosWorld, act: () => Promise<T>): Promise<T> {
  for (const until = Date.now() + world.settleMs; ; ) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'REDIS_UNAVAILABLE' || Date.now() > until) throw error;
      await sleep(50);
    }
  }
}

async function untilEnded(world: ChaosWorld, ids: readonly string[]): Promise<Map<string, VerificationView | null>> {
  const views = new Map<string, VerificationView | null>();
  await pollUntil(async () => {
    for (const id of ids) views.set(id, await world.client.get(id));
    return ids.every((id) => isTerminal(views.get(id)?.state ?? 'queued'));
  }, Date.now() + world.settleMs);
  return views;
}

function checkEnd(
  world: ChaosWorld,
  { started: { id, token }, plan }: Played,
  view: VerificationView | null,
  phones: ReadonlyMap<string, SessionView>,
): void {
  const found = (invariant: 'I1' | 'I2' | 'I8' | 'I12', message: string): void => {
    world.findings.push({ invariant, message: `${id} (${plan}): ${message}` });
  };
  if (view === null || !isTerminal(view.state)) {
    const steps = view?.history.map(({ event, stage, code }) => [event, stage, code].filter(Boolean).join(' '));
    found('I1', `never ended: its state is ${view?.state} (${steps?.join(', ')})`);
    return;
  }
  const phone = token === null ? undefined : phones.get(token);
  if (phone === undefined) return;
  if (token !== null && world.log.some((line) => line.includes(token))) found('I12', 'a log has the token');
  const passed = phone.codes.at(-1) === '0';
  if ((view.next === 'accept') !== passed)
    found('I8', `the phone ended with ${phone.codes.join(', ') || 'nothing'}, but next is ${view.next}`);
  if (passed && view.frame !== 'stored') found('I8', `the frame is ${view.frame}`);
  if (phone.chargeCount > view.paidCalls + view.possiblyPaidCalls)
    found(
      'I2',
      `${phone.chargeCount} checks were billed, and ${view.paidCalls} + ${view.possiblyPaidCalls} are recorded`,
    );
}

/** A start call is made once, and once more for each outcome that was recorded as unknown. */
async function checkStarts(world: ChaosWorld, views: readonly (VerificationView | null)[]): Promise<void> {
  const issued = (await world.control.sessions()).length;
  const unknown = views.flatMap((view) => view?.history ?? []).filter(({ event }) => event === 'unknown').length;
  if (issued > views.length + unknown)
    world.findings.push({
      invariant: 'I2',
      message: `${issued} tokens were issued for ${views.length} sessions with ${unknown} unknown outcomes`,
    });
}
