/**
 * Makes an own bucket as it must be: there, private, without versioning, with a rule that deletes after a day. What is so
 * already is left alone, so that a second run changes nothing. Rules of others are kept to the letter, and looked for again
 * after ours was written.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Region } from '../domain/actions.ts';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { BucketSettings, LifecycleRule } from '../storage/index.ts';
import { daysUntilDeleted } from './bucket-checks.ts';

export interface Step {
  readonly name: 'bucket' | 'acl' | 'versioning' | 'lifecycle';
  /** Whether this run changed it. */
  readonly changed: boolean;
  readonly found: string;
}

const RULE_ID = 'bestframe-one-day';
/** A bucket that was just made is not known everywhere at once. */
const THERE_TRIES = 10;
const THERE_WAIT_MS = 500;

/** @param onStep told each step when it is done: of a run that fails in the middle, what was changed is known. */
export async function initBucket(
  settings: BucketSettings,
  objectFolder: string,
  onStep: (step: Step) => void,
  signal: AbortSignal,
): Promise<void> {
  onStep({ name: 'bucket', ...(await makeThere(settings, signal)) });
  onStep({ name: 'acl', ...(await makePrivate(settings, signal)) });
  onStep({ name: 'versioning', ...(await makeUnversioned(settings, signal)) });
  onStep({ name: 'lifecycle', ...(await makeDeleting(settings, objectFolder, signal)) });
}

type Done = Omit<Step, 'name'>;

async function makeThere(settings: BucketSettings, signal: AbortSignal): Promise<Done> {
  const { region } = settings;
  const where = await settings.locate(signal);
  if (where === region) return { changed: false, found: `was there, in ${region}` };
  if (where !== null) throw elsewhere(where, region);
  await settings.create(signal);
  for (let tries = 1; (await settings.locate(signal)) !== region; tries += 1) {
    if (tries === THERE_TRIES) throw notSeen();
    await pause(THERE_WAIT_MS);
  }
  return { changed: true, found: `made in ${region}, private` };
}

async function makePrivate(settings: BucketSettings, signal: AbortSignal): Promise<Done> {
  if (!(await settings.isPublic(signal))) return { changed: false, found: 'was private' };
  await settings.makePrivate(signal);
  return { changed: true, found: 'was public, and is private now' };
}

async function makeUnversioned(settings: BucketSettings, signal: AbortSignal): Promise<Done> {
  const before = await settings.versioning(signal);
  if (before === 'never') return { changed: false, found: 'was off' };
  if (before === 'suspended') return { changed: false, found: 'was suspended; versions from before are still there' };
  await settings.suspendVersioning(signal);
  return { changed: true, found: 'was on, and is suspended now; versions from before are still there' };
}

async function makeDeleting(settings: BucketSettings, objectFolder: string, signal: AbortSignal): Promise<Done> {
  const before = await settings.rules(signal);
  const days = daysUntilDeleted(before, objectFolder);
  if (days !== null && days <= 1) return { changed: false, found: 'a rule of one day was there' };
  const others = before.filter(({ id }) => id !== RULE_ID);
  await settings.writeRules([...others.map(({ xml }) => xml), ruleFor(objectFolder)], signal);
  const after = await settings.rules(signal);
  const missing = others.filter((rule) => !after.some((other) => same(rule, other)));
  if (missing.length > 0) throw rulesLost(missing.length);
  const kept = others.length === 0 ? '' : `; ${others.length} other rule(s) kept`;
  return { changed: true, found: `a rule was added that deletes under ${objectFolder}/ after one day${kept}` };
}

function ruleFor(objectFolder: string): string {
  const filter = `<Filter><Prefix>${objectFolder}/</Prefix></Filter>`;
  return `<Rule><ID>${RULE_ID}</ID>${filter}<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>`;
}

function same(one: LifecycleRule, other: LifecycleRule): boolean {
  return one.id === other.id && one.enabled === other.enabled && one.prefix === other.prefix && one.days === other.days;
}

function elsewhere(where: Region, region: Region): Failure {
  const facts = { service: 'cos', channel: 'local', code: CODES.BUCKET_REGION, sent: 'answered' } as const;
  const message = `a bucket of this name lies in ${where}, not in ${region}: choose another name for ${region}`;
  return new Failure({ ...facts, field: 'BESTFRAME_BUCKETS' }, message);
}

function notSeen(): Failure {
  const facts = { service: 'cos', channel: 'local', code: CODES.TIMEOUT, sent: 'answered' } as const;
  return new Failure(facts, 'the bucket was made, and is not seen yet: run this again in a minute');
}

function rulesLost(count: number): Failure {
  const facts = { service: 'cos', channel: 'local', code: CODES.MALFORMED_REPLY, sent: 'answered' } as const;
  return new Failure(facts, `${count} other lifecycle rule(s) read differently after ours was added: look at them`);
}
