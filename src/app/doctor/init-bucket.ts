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
import type { Region } from '../../domain/verification/actions.ts';
import { daysUntilDeleted } from './bucket-checks.ts';

export interface Step {
  readonly name: 'bucket' | 'acl' | 'versioning' | 'lifecycle';
  /** Whether this run changed the setting. */
  readonly changed: boolean;
  readonly found: string;
}

const RULE_ID = 'bestframe-one-day';
/** A new bucket takes a moment to become visible everywhere. */
const VISIBLE_ATTEMPTS = 10;
const VISIBLE_WAIT_MS = 500;

/** @param onStep called after each step, so that the caller knows what changed even if a later step fails. */
export async function initBucket(
  settings: BucketSettings,
  objectFolder: string,
  onStep: (step: Step) => void,
  signal: AbortSignal,
): Promise<void> {
  onStep({ name: 'bucket', ...(await ensureExists(settings, signal)) });
  onStep({ name: 'acl', ...(await ensurePrivate(settings, signal)) });
  onStep({ name: 'versioning', ...(await ensureUnversioned(settings, signal)) });
  onStep({ name: 'lifecycle', ...(await ensureLifecycleRule(settings, objectFolder, signal)) });
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

async function ensureLifecycleRule(
  settings: BucketSettings,
  objectFolder: string,
  signal: AbortSignal,
): Promise<StepResult> {
  const before = await settings.rules(signal);
  const days = daysUntilDeleted(before, objectFolder);
  if (days !== null && days <= 1) return { changed: false, found: 'a one-day rule already exists' };
  const others = before.filter(({ id }) => id !== RULE_ID);
  await settings.writeRules([...others.map(({ xml }) => xml), ruleFor(objectFolder)], signal);
  const after = await settings.rules(signal);
  const missing = others.filter((rule) => !after.some((other) => isSameRule(rule, other)));
  if (missing.length > 0) throw rulesLost(missing.length);
  const kept = others.length === 0 ? '' : `; ${others.length} other rule(s) kept`;
  return { changed: true, found: `added a rule that deletes objects in ${objectFolder}/ after one day${kept}` };
}

function ruleFor(objectFolder: string): string {
  const filter = `<Filter><Prefix>${objectFolder}/</Prefix></Filter>`;
  return `<Rule><ID>${RULE_ID}</ID>${filter}<Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>`;
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
