/** Which verifications a list shows. A field that is absent selects everything. */
import type { ErrorClass } from '../errors/index.ts';
import type { ActionName } from './actions.ts';
import type { Region } from './regions.ts';
import type { Lane, UploadWay } from './request.ts';
import type { Decision, State } from './states.ts';
import type { VerificationView } from './view.ts';

export interface VerificationFilter {
  readonly state?: State | undefined;
  readonly decision?: Decision | undefined;
  /** Code of the reason. */
  readonly code?: string | undefined;
  /** Error class of the reason. */
  readonly class?: ErrorClass | undefined;
  readonly region?: Region | undefined;
  readonly lane?: Lane | undefined;
  readonly action?: ActionName | undefined;
  readonly upload?: UploadWay | undefined;
  /** Only verifications that were enqueued since this time, ISO 8601. */
  readonly since?: string | undefined;
}

type Filtered = Pick<VerificationView, 'state' | 'decision' | 'region' | 'lane' | 'action' | 'upload' | 'createdAt'> & {
  readonly reason: Pick<NonNullable<VerificationView['reason']>, 'code' | 'class'> | null;
};

export function matchesFilter(view: Filtered, filter: VerificationFilter): boolean {
  const { state, decision, region, lane, action, upload, reason, createdAt } = view;
  const facts = { state, decision, region, lane, action, upload, code: reason?.code, class: reason?.class };
  if (filter.since !== undefined && !(Date.parse(createdAt) >= Date.parse(filter.since))) return false;
  return Object.entries(facts).every(([name, value]) => {
    const wanted = filter[name as keyof typeof facts];
    return wanted === undefined || wanted === value;
  });
}

/** What a filter compares, as far as it is known without the gates and breakers, which may change the reason. */
export type PlainFacts = Omit<Filtered, 'reason'>;

/** @returns false only if `matchesFilter` refuses the view of a verification with these facts. */
export function mayMatch(facts: PlainFacts, { code: _code, class: _class, ...filter }: VerificationFilter): boolean {
  return matchesFilter({ ...facts, reason: null }, filter);
}

/** The filter in words, for the audit log. */
export function describeFilter({ since, ...filter }: VerificationFilter): string {
  const parts = Object.values(filter).filter((part) => part !== undefined);
  return [...parts, ...(since === undefined ? [] : [`since ${since}`])].join(', ') || 'all';
}
