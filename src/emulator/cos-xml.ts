/**
 * Reads the XML bodies of COS requests: settings, lists of objects to delete, lists of parts. All parsing of incoming XML is
 * in this file.
 *
 * Lifecycle rules are checked only roughly, and kept as text so that a GET returns exactly what was sent.
 */
import { XMLParser, XMLValidator } from 'cos-fast-xml-parser';
import type { Versioning } from './settings.ts';

/** The text of an element stays text, even if it looks like a number. */
const OPTIONS = { ignoreDeclaration: true, parseTagValue: false } as const;
/** Elements that may occur several times. */
const LISTS = ['Rule', 'Object', 'Part'];
/** The only mode of object lock. */
export const COMPLIANCE = 'COMPLIANCE';
const MAX_LOCK_DAYS = 36_500;
const parser = new XMLParser({ ...OPTIONS, isArray: (name) => LISTS.includes(name) });
/** Keeps each rule as it was written. */
const rawParser = new XMLParser({
  ...OPTIONS,
  isArray: (name) => name === 'Rule',
  stopNodes: ['LifecycleConfiguration.Rule'],
});

type Element = Readonly<Record<string, unknown>>;

/** @returns null if the document is not a valid versioning configuration. */
export function readVersioningStatus(xml: string): Versioning | null {
  const { Status: status } = elementOf(parse(xml), 'VersioningConfiguration') ?? {};
  return status === 'Enabled' || status === 'Suspended' ? status : null;
}

/** @returns the `<Rule>` elements as text, or null if the document is not a valid lifecycle configuration. */
export function readLifecycleRules(xml: string): string | null {
  const configuration = elementOf(parse(xml), 'LifecycleConfiguration');
  const raw = elementOf(parse(xml, rawParser), 'LifecycleConfiguration');
  if (configuration === null || raw === null) return null;
  if (Object.keys(configuration).join() !== 'Rule' || !areValidRules(configuration.Rule as readonly unknown[]))
    return null;
  return (raw.Rule as readonly string[]).map((rule) => `<Rule>${rule}</Rule>`).join('');
}

/** @returns null if the document is not a valid configuration of object lock. */
export function readObjectLock(xml: string): { readonly days: number | null } | null {
  const { ObjectLockEnabled: enabled, Rule: rules } = elementOf(parse(xml), 'ObjectLockConfiguration') ?? {};
  if (enabled !== 'Enabled') return null;
  if (rules === undefined) return { days: null };
  const [rule] = Array.isArray(rules) ? rules : [];
  const { Mode: mode = COMPLIANCE, Days: days } = elementOf(rule, 'DefaultRetention') ?? {};
  const count = Number(textOf(days));
  const isValid = mode === COMPLIANCE && Number.isInteger(count) && count >= 1 && count <= MAX_LOCK_DAYS;
  return isValid ? { days: count } : null;
}

/** @returns until when the object is to be locked, ms since 1970; null if the document is not a valid retention. */
export function readRetention(xml: string): number | null {
  const { Mode: mode, RetainUntilDate: date } = elementOf(parse(xml), 'Retention') ?? {};
  return mode === COMPLIANCE ? readLockDate(textOf(date)) : null;
}

/** @param text ISO 8601, e.g. 2022-12-10T08:34:48.000Z. @returns ms since 1970; null if it is no such date. */
export function readLockDate(text: string): number | null {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/.test(text) ? Date.parse(text) : null;
}

export interface DeleteList {
  /** Whether the answer leaves out the list of deleted objects. */
  readonly isQuiet: boolean;
  readonly items: readonly { readonly key: string; readonly versionId: string | undefined }[];
}

/** @returns null if the document is not a valid list of objects. */
export function readDeleteList(xml: string): DeleteList | null {
  const { Quiet: quiet, Object: objects } = elementOf(parse(xml), 'Delete') ?? {};
  if (!Array.isArray(objects) || objects.length === 0) return null;
  const items = objects.map((each) => {
    const { Key: key, VersionId: versionId } = isElement(each) ? each : {};
    return { key: textOf(key), versionId: textOf(versionId) || undefined };
  });
  return items.every(({ key }) => key !== '') ? { isQuiet: textOf(quiet) === 'true', items } : null;
}

export interface NamedPart {
  readonly number: number;
  readonly etag: string;
}

/** @returns null if the document is not a valid list of parts. */
export function readCompleteList(xml: string): NamedPart[] | null {
  const { Part: parts } = elementOf(parse(xml), 'CompleteMultipartUpload') ?? {};
  if (!Array.isArray(parts) || parts.length === 0) return null;
  const named = parts.map((each) => {
    const { PartNumber: number, ETag: etag } = isElement(each) ? each : {};
    return { number: Number(textOf(number)), etag: textOf(etag) };
  });
  return named.every(({ number, etag }) => Number.isInteger(number) && number > 0 && etag !== '') ? named : null;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parse(xml: string, by: XMLParser = parser): unknown {
  return XMLValidator.validate(xml) === true ? by.parse(xml) : null;
}

function elementOf(document: unknown, name: string): Element | null {
  const element = isElement(document) ? document[name] : null;
  return isElement(element) ? element : null;
}

function isElement(value: unknown): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** There must be at least one rule, each with a status, a filter and an effect. Ids must be unique; COS adds missing ids. */
function areValidRules(rules: readonly unknown[]): boolean {
  const ids = rules.flatMap((rule) => (isElement(rule) && rule.ID !== undefined ? [rule.ID] : []));
  return rules.length > 0 && new Set(ids).size === ids.length && rules.every(isValidRule);
}

const EFFECTS = ['Expiration', 'Transition', 'AbortIncompleteMultipartUpload', 'NoncurrentVersionExpiration'];

function isValidRule(rule: unknown): boolean {
  return (
    isElement(rule) &&
    (rule.Status === 'Enabled' || rule.Status === 'Disabled') &&
    rule.Filter !== undefined &&
    EFFECTS.some((effect) => rule[effect] !== undefined)
  );
}
