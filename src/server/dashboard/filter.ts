/** The filter of the list of verifications, as it is in the address of the page. A field with an unknown value is left out. */
import { ERROR_CLASSES } from '../../domain/errors/entry.ts';
import { ACTION_NAMES } from '../../domain/verification/actions.ts';
import type { VerificationFilter } from '../../domain/verification/filter.ts';
import { TENANT_PATTERN } from '../../domain/verification/names.ts';
import { REGIONS } from '../../domain/verification/regions.ts';
import { LANES, UPLOAD_WAYS } from '../../domain/verification/request.ts';
import { DECISIONS, STATES } from '../../domain/verification/states.ts';
import type { Fields } from './site-tools.ts';

/** Fields whose values are listed, in the order of the form. */
export const CHOICES = {
  state: STATES,
  decision: DECISIONS,
  class: ERROR_CLASSES,
  region: REGIONS,
  action: ACTION_NAMES,
  lane: LANES,
  upload: UPLOAD_WAYS,
  ended: ['yes', 'no'],
} as const;
export type ChoiceName = keyof typeof CHOICES;

/** Fields with free text. */
export const TEXTS = ['code', 'since', 'tenant', 'subject', 'id', 'key'] as const;

/** What the reader asked for, as text: for the form and for links. */
export type FilterFields = Readonly<Partial<Record<ChoiceName | (typeof TEXTS)[number], string>>>;

export interface ListFilter {
  readonly fields: FilterFields;
  readonly filter: VerificationFilter & { readonly ended?: boolean | undefined };
  readonly tenant: string | null;
  readonly subject: string | null;
  readonly id: string | null;
  /** The caller's own key. */
  readonly key: string | null;
}

const SPAN = /^(\d{1,4})([mhd])$/;
const SPAN_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @param now ms since 1970. */
export function readFilter(given: Fields, now: number): ListFilter {
  const chosen = (Object.keys(CHOICES) as ChoiceName[]).flatMap((name) => {
    const value = (CHOICES[name] as readonly string[]).find((each) => each === given[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  const since = sinceOf(given.since, now);
  const texts = [
    ['code', given.code !== undefined && /^[\w./ -]{1,80}$/.test(given.code.trim()) ? given.code.trim() : undefined],
    ['since', since === undefined ? undefined : given.since?.trim()],
    [
      'tenant',
      given.tenant !== undefined && TENANT_PATTERN.test(given.tenant.trim()) ? given.tenant.trim() : undefined,
    ],
    ['subject', textOf(given.subject)],
    ['id', textOf(given.id)],
    ['key', textOf(given.key)],
  ] as const;
  const set = texts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const fields: Record<string, string> = Object.fromEntries([...chosen, ...set]);
  const { ended, tenant = null, subject = null, id = null, key = null, ...rest } = fields;
  const filter = { ...rest, since, ...(ended === undefined ? {} : { ended: ended === 'yes' }) };
  return { fields, filter: filter as ListFilter['filter'], tenant, subject, id, key };
}

function textOf(given: string | undefined): string | undefined {
  return given?.trim() || undefined;
}

/** A time such as `2026-11-25T09:30`, or a span such as `90m`, `2h` or `3d` before now. */
function sinceOf(text: string | undefined, now: number): string | undefined {
  const [, count, unit] = SPAN.exec(text?.trim() ?? '') ?? [];
  if (count !== undefined) return new Date(now - Number(count) * SPAN_MS[unit as keyof typeof SPAN_MS]).toISOString();
  const ms = /^\d{4}-\d\d-\d\d/.test(text?.trim() ?? '') ? Date.parse(text?.trim() ?? '') : Number.NaN;
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
}

/** @returns `a=1&b=2`, without empty fields. */
export function queryOf(fields: Readonly<Record<string, string | undefined>>): string {
  const set = Object.entries(fields).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  return new URLSearchParams(set).toString();
}
