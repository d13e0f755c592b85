/**
 * The texts of the pages in English.
 *
 * Identifiers (states, stages, events, codes) are not translated in any language: operators search logs and docs for them.
 */
import { enActs } from './en-acts.ts';
import { enSite } from './en-site.ts';

export const en = {
  ...enSite,
  ...enActs,
  lang: 'en',
  otherLanguage: '中文',
  units: { ms: ' ms', s: ' s', min: ' min', h: ' h', d: ' d' },

  skipToContent: 'Skip to content',
  overview: 'Overview',
  queues: 'Queues',
  testMode: ': no real person is verified here',
  liveMode: 'LIVE',

  login: 'Log in',
  logout: 'Log out',
  userName: 'Name',
  password: 'Password',
  wrongLogin: 'Wrong name or password.',
  tooManyAttempts: 'Too many attempts. Wait five minutes, then try again.',

  sessions: 'Sessions',
  thisSession: '(this session)',
  loggedInBy: 'Logged in by, from',
  sessionWays: { password: 'password', proxy: 'identity proxy' },
  lastSeen: 'Last seen',
  endsAt: 'Ends at the latest',
  endSession: 'End session',

  tenants: 'Tenants',
  tenantName: 'Tenant',
  policyVersion: 'Policy version',
  noPolicy: 'no policy',
  mayUse: 'May use',
  everyPlace: 'Every place that the workers can reach',
  ownPrefix: 'Its own prefix, and files that it sends',
  readsFrom: 'Reads from buckets',
  writesTo: 'Writes to buckets',
  folders: 'Folders',
  hosts: 'Hosts',
  lanes: 'Lanes',
  demands: 'Must name',
  endpoint: 'Webhook endpoint',
  threshold: 'Threshold',
  weight: 'Weight',
  limits: 'At most',
  unfinished: (count: number) => `${count} unfinished`,
  perDay: (count: number) => `${count} in a day`,
  records: 'Records',
  apiKeys: 'API keys',
  noTenants: 'No tenant has a policy or an API key.',
  tenantsAdvice: 'Policies are changed with: bestframe tenants',

  done: 'Done.',
  tooManyReaders: 'Too many pages are open. Close one, or reload by hand.',
  notFound: 'There is nothing here. The record of a verification may have expired or been erased.',
  malformed: 'The address of this page is not valid.',
  loginRequired: 'Log in first.',
  boardIsReadOnly: 'The Bull dashboard is read-only: moving a job would bypass its journal.',
  forbidden: 'Your login does not permit this.',
  staleForm: 'Nothing was done: this form is not from a page of this session. Go back, reload the page, and try again.',
  reasonRequired: 'Nothing was done: give a reason.',
  redisUnavailable: 'Redis cannot be reached, so the current state is unknown. Nothing is lost.',

  idle: 'Idle: nothing is waiting.',
  working: ({ perSecond, isAtLimit, clearIn }: Progress) =>
    `Working: ${perSecond}/s${isAtLimit ? ', at Tencent’s rate limit' : ''}${clearIn === null ? '' : `, backlog clear in ${clearIn}`}.`,
  stopped: (title: string, time: string) => `Stopped: ${title}, since ${time}.`,
  paused: (operator: string, time: string) => `Stopped: paused by ${operator} since ${time}.`,
  stalled: (duration: string) =>
    `Stalled: verifications have been waiting for up to ${duration}, the gates are open, and nothing finishes.`,
  stalledAdvice:
    'Check that verify workers are running (bestframe start verify), read their log, and run bestframe doctor.',
  failing: (failed: number, ended: number) => `Failing: ${failed} of the last ${ended} verifications failed.`,
  failingAdvice: 'Open one of them below to see why.',
  outOfService: (worker: string, title: string, time: string) =>
    `Worker ${worker} is out of service since ${time}: ${title}.`,
  waiting: (count: number) => `${count} waiting.`,
  autoRefresh: 'Refresh every 10 s',
  stopRefresh: 'Stop refreshing',
  find: 'Find by id or key',
  search: 'Find',
  tenant: 'Lists of tenant (empty: all)',
  show: 'Show',

  now: 'Now',
  waitingNow: 'Waiting',
  oldestWait: 'Oldest wait',
  interactiveP95: 'Interactive: 95% decided within',
  heldNow: 'Held for an operator',
  endedLastHour: 'Ended in the last hour',
  sampleSize: (count: number) => `sample of ${count}`,
  decisions: {
    match: 'match',
    no_match: 'no match',
    not_live: 'not live',
    recapture: 'recapture',
    live: 'live',
    not_started: 'not started',
    abandoned: 'abandoned',
    expired: 'expired',
    retry_limit: 'no tries left',
  },
  failed: 'failed',
  cancelled: 'cancelled',

  gates: 'Gates',
  gate: 'Gate',
  gateStates: { open: 'open', closed: 'closed', paused: 'paused' },
  noGates: 'No gate has been used yet.',
  breakers: 'What verifications need',
  breaker: 'Service',
  breakerStates: { working: 'working', down: 'down: verifications wait' },
  noBreakers: 'No service has been called yet.',
  state: 'State',
  since: 'Since',
  why: 'Why',
  whyPrompt: 'Why (kept, and shown to other operators)',
  steer: { open: 'Open', close: 'Close', pause: 'Pause', resume: 'Resume' },

  heldVerifications: 'Held: an operator must decide',
  noneHeld: 'No verification is held.',
  failsAt: 'Fails automatically at',
  latest: 'Latest',

  id: 'Id',
  verification: 'Verification',
  next: 'Next step',
  pausedBy: 'Paused by',
  pauses: {
    operator: 'an operator',
    budget: 'the spent budget',
    account: 'a gate that closed because of the account',
    breaker: 'a service that is down',
    rate: 'the rate limit',
  },
  nextTry: 'Next try',
  decision: 'Decision',
  similarity: 'Similarity',
  paidCalls: 'Paid calls',
  possiblyPaid: (count: number) => `and ${count} possibly paid`,
  secondOpinion: 'Second opinion',
  opinions: {
    pending: 'asked for, not known yet',
    not_needed: 'not needed',
    passed: 'no attack suspected',
    suspected: 'attack suspected',
    unclear: 'picture cannot be judged',
    failed: 'no answer',
  },
  frame: 'Frame',
  showFrame: 'Show the frame (this is audited)',
  region: 'Region',
  trace: 'Trace',
  acceptedAt: 'Accepted',
  endedAt: 'Ended',
  evidence: 'Evidence',
  evidenceStates: { pending: 'being copied', copied: 'copied', incomplete: 'incomplete' },
  lockedUntil: 'locked until',
  deadline: 'Deadline',
  reason: 'Reason',
  advice: 'What to do',

  decide: 'Decide',
  submitDecision: 'Decide',
  choices: {
    retry: 'Retry: continue from where it stopped',
    rewind: 'Rewind: start again from upload',
    recapture: 'Recapture: ask the person for a new capture',
    fail: 'Fail: end it without an answer',
    'accept-late': 'Accept the vendor’s late answer',
  },
  payAgain: 'An earlier call was, or may have been, paid. Allow another one.',
  refusals: {
    missing: 'Nothing was done: the verification no longer exists.',
    not_held: 'Nothing was done: the verification is no longer held.',
    pay_again: 'Nothing was done: a call may already have been paid. Tick the box to allow another one.',
    nothing_late: 'Nothing was done: there is no late answer to accept.',
    legal_hold: 'Nothing was done: it is under a legal hold.',
    refused: 'Nothing was done: look below why.',
  },

  timeline: 'Timeline',
  time: 'Time',
  stage: 'Stage',
  event: 'Event',
  code: 'Code',
  duration: 'Duration',
  by: 'By',
  stages: 'Stages',
  cost: 'Cost',
  attempts: 'Attempts',
};

export interface Progress {
  /** A number with one decimal. */
  readonly perSecond: string;
  readonly isAtLimit: boolean;
  /** A duration, null if it cannot be estimated. */
  readonly clearIn: string | null;
}

/** The texts of one language. The English texts define which texts exist. */
export type Words = typeof en;
