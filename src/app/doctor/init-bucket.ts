/**
 * Sets up a bucket of the company: afterwards it exists, is private, has no versioning, and has a rule that deletes objects
 * after a day.
 *
 * What must hold: a second run changes nothing. Lifecycle rules that others wrote are written back unchanged, and are verified
 * after our rule was added.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BucketSettings, LifecycleRule } from '../../adapters/storage/index.ts';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { Region } from '../../domain/verification/regions.ts';
import { daysUntilDeleted } from './bucket-checks.ts';
import type { BucketFolders } from './bucket-folders.ts';

export interface Step {
  readonly name: 'bucket' | 'acl' | 'versioning' | 'lifecycle' | 'staging';
  /** Whether this run changed the setting. */
  readonly changed: boolean;
  readonly found: string;
}

const RULE_ID = 'bestframe-one-day';
const STAGING_RULE_ID = 'bestframe-staged';
/** A new bucket takes a moment to become visible everywhere. */
const VISIBLE_ATTEMPTS = 10;
const VISIBLE_WAIT_MS = 500;

/** @param onStep called after each step, so that the caller knows what changed even if a later step fails. */
export async function initBucket(
  settings: BucketSettings,
  { objects, staged }: BucketFolders,
  onStep: (step: Step) => void,
  signal: AbortSignal,
): Promise<void> {
  onStep({ name: 'bucket', ...(await ensureExists(settings, signal)) });
  onStep({ name: 'acl', ...(await ensurePrivate(settings, signal)) });
  onStep({ name: 'versioning', ...(await ensureUnversioned(settings, signal)) });
  const uploads = { id: RULE_ID, folder: objects, days: 1 };
  onStep({ name: 'lifecycle', ...(await ensureLifecycleRule(settings, uploads, (days) => days <= 1, signal)) });
  if (staged === null) return;
  const rule = { id: STAGING_RULE_ID, ...staged };
  // A rule of somebody else that deletes earlier is not changed: the doctor names it.
  onStep({ name: 'staging', ...(await ensureLifecycleRule(settings, rule, () => true, signal)) });
}

type StepResult = Omit<Step, 'name'>;

async function ensureExists(settings: BucketSettings, signal: AbortSignal): Promise<StepResult> {
  const { region } = settings;
  const actual = await settings.locate(signal);
  if (actual === region) return { changed: false, found: `already exists in ${region}` };
  if (actual !== null) throw inOtherRegion(actual, region);
  await settings.create(signal);
  for (let attempt = 1; (await settings.locate(signal)) !== region; attempt += 1) {
    if (attempt === VISIBLE_ATTEMPTS) throw notVisibleYet();
    await pause(VISIBLE_WAIT_MS);
  }
  return { changed: true, found: `created in ${region}, private` };
}

async function ensurePrivate(settings: BucketSettings, signal: AbortSignal): Promise<StepResult> {
  if (!(await settings.isPublic(signal))) return { changed: false, found: 'already private' };
  await settings.makePrivate(signal);
  return { changed: true, found: 'was public, is private now' };
}

async function ensureUnversioned(settings: BucketSettings, signal: AbortSignal): Promise<StepResult> {
  const before = await settings.versioning(signal);
  if (before === 'never') return { changed: false, found: 'already off' };
  if (before === 'suspended') return { changed: false, found: 'already suspended; older versions still exist' };
  await settings.suspendVersioning(signal);
  return { changed: true, found: 'was on, is suspended now; older versions still exist' };
}

interface WantedRule {
  readonly id: string;
  readonly folder: string;
  readonly days: number;
}

/** @param isEnough whether a rule that already deletes the folder's objects after so many days suffices. */
async function ensureLifecycleRule(
  settings: BucketSettings,
  wanted: WantedRule,
  isEnough: (days: number) => boolean,
  signal: AbortSignal,
): Promise<StepResult> {
  const before = await settings.rules(signal);
  const days = daysUntilDeleted(before, wanted.folder);
  if (days !== null && isEnough(days)) return { changed: false, found: `${daysInWords(days)} rule already exists` };
  const others = before.filter(({ id }) => id !== wanted.id);
  await settings.writeRules([...others.map(({ xml }) => xml), xmlOf(wanted)], signal);
  const after = await settings.rules(signal);
  const missing = others.filter((rule) => !after.some((other) => isSameRule(rule, other)));
  if (missing.length > 0) throw rulesLost(missing.length);
  const kept = others.length === 0 ? '' : `; ${others.length} other rule(s) kept`;
  const when = wanted.days === 1 ? 'one day' : `${wanted.days} days`;
  return { changed: true, found: `added a rule that deletes objects in ${wanted.folder}/ after ${when}${kept}` };
}

function daysInWords(days: number): string {
  return days === 1 ? 'a one-day' : `a ${days}-day`;
}

function xmlOf({ id, folder, days }: WantedRule): string {
  const filter = `<Filter><Prefix>${folder}/</Prefix></Filter>`;
  return `<Rule><ID>${id}</ID>${filter}<Status>Enabled</Status><Expiration><Days>${days}</Days></Expiration></Rule>`;
}

function isSameRule(one: LifecycleRule, other: LifecycleRule): boolean {
  return one.id === other.id && one.enabled === other.enabled && one.prefix === other.prefix && one.days === other.days;
}

function inOtherRegion(actual: Region, region: Region): Failure {
  const message = `a bucket of this name exists in ${actual}, not in ${region}: choose another name for ${region}`;
  return localFailure(CODES.BUCKET_REGION, message, { service: 'cos', sent: 'answered', field: 'BESTFRAME_BUCKETS' });
}

function notVisibleYet(): Failure {
  return localFailure(CODES.TIMEOUT, 'the bucket was created but is not visible yet: run this again in a minute', {
    service: 'cos',
    sent: 'answered',
  });
}

function rulesLost(count: number): Failure {
  return localFailure(
    CODES.MALFORMED_REPLY,
    `${count} other lifecycle rule(s) changed when ours was added: check them in the console`,
    { service: 'cos', sent: 'answered' },
  );
}
