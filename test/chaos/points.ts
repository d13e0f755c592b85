/** The named points of a worker (see preload.mjs) at which something may happen to it: every await of every stage. */
const SCRIPTS = [
  'moveToActive',
  'begin',
  'admit',
  'reserve',
  'renew',
  'commit',
  'intent',
  'outcome',
  'settle',
  'addStandardJob', // the erase job of an end
  'moveToFinished',
];
/** These come after trouble only. */
const SCRIPTS_OF_TROUBLE = ['unknown', 'handback', 'changePriority', 'moveToDelayed'];
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

const around = (kind: string, names: readonly string[], ends: readonly [string, string]) =>
  names.flatMap((name) => ends.map((end) => `${kind}:${name}:${end}`));

export const POINTS = [
  ...around('script', SCRIPTS, ['before', 'after']),
  ...around('edge', EDGES, ['before', 'after']),
  ...around('stage', STAGES, ['begin', 'end']),
];
export const POINTS_OF_TROUBLE = around('script', SCRIPTS_OF_TROUBLE, ['before', 'after']);
