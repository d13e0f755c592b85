/** The named points of a worker at which a hook may act: before and after every await of every stage (see preload.mjs). */
const SCRIPTS = [
  'moveToActive',
  'begin-attempt',
  'ask-admission',
  'reserve-slots',
  'renew-lease',
  'commit-stage',
  'declare-intent',
  'record-outcome',
  'settle',
  'addStandardJob', // adds the notification of an end
  'moveToFinished',
];
/** Scripts that run only after an error. */
const ERROR_SCRIPTS = ['mark-outcome-unknown', 'requeue', 'changePriority', 'moveToDelayed'];
const EDGES = [
  'sources.open',
  'bucket.signPut',
  'faceId.createUploadUrl',
  'links.put',
  'bucket.signGet',
  'links.probe',
  'faceId.detect',
  'links.get',
  'sink.store',
];
const STAGES = ['upload', 'md5', 'detect', 'download'];
/** Points of a second opinion, which few verifications ask for. */
const OPINION_EDGES = ['sink.open', 'faceId.secondOpinion'];

const around = (kind: string, names: readonly string[], ends: readonly [string, string]) =>
  names.flatMap((name) => ends.map((end) => `${kind}:${name}:${end}`));

export const POINTS = [
  ...around('script', SCRIPTS, ['before', 'after']),
  ...around('edge', EDGES, ['before', 'after']),
  ...around('stage', STAGES, ['begin', 'end']),
];
export const OPINION_POINTS = [
  ...around('edge', OPINION_EDGES, ['before', 'after']),
  ...around('stage', ['opinion'], ['begin', 'end']),
];
export const ERROR_POINTS = around('script', ERROR_SCRIPTS, ['before', 'after']);
