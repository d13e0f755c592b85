/** Parses a bucket's lifecycle rules and keeps the text of each, so that it can be written back unchanged. */
import { z } from 'zod';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { parseXml, parseXmlWithRaw } from './cos-xml.ts';

export interface LifecycleRule {
  readonly id: string | null;
  readonly enabled: boolean;
  /** The prefix of the objects that the rule deletes. Null if the rule also selects by something else, such as tags. */
  readonly prefix: string | null;
  /** Objects are deleted after this many days. Null if the rule deletes no objects. */
  readonly days: number | null;
  /** The `<Rule>` element as it was read. */
  readonly xml: string;
}

const configuration = z.strictObject({
  LifecycleConfiguration: z.union([
    z
      .string()
      .regex(/^\s*$/)
      .transform((): string[] => []),
    z.strictObject({ Rule: z.array(z.string()).default([]) }).transform(({ Rule }) => Rule),
  ]),
});

const text = z.string().optional();

const ruleElement = z.strictObject({
  Rule: z.object({
    ID: text,
    Status: z
      .string()
      .trim()
      .pipe(z.enum(['Enabled', 'Disabled'])),
    Prefix: text,
    Filter: z.union([z.literal(''), z.object({ Prefix: text }).loose()]).optional(),
    Expiration: z.object({ Days: z.coerce.number().optional() }).loose().optional(),
  }),
});

/** @throws Failure MALFORMED_REPLY if any part is not understood: writing the rest back would lose a rule. */
export function parseLifecycleRules(xml: string): LifecycleRule[] {
  const document = parseXmlWithRaw(xml, 'LifecycleConfiguration.Rule', configuration);
  if (document === null) throw unreadableRules();
  return document.LifecycleConfiguration.map((content) => parseRule(`<Rule>${content}</Rule>`));
}

function parseRule(xml: string): LifecycleRule {
  const rule = parseXml(xml, ruleElement)?.Rule;
  if (rule === undefined) throw unreadableRules();
  const { ID, Status, Prefix, Filter = '', Expiration } = rule;
  const { Prefix: filterPrefix, ...otherFilters } = Filter === '' ? {} : Filter;
  return {
    id: ID ?? null,
    enabled: Status === 'Enabled',
    prefix: Object.keys(otherFilters).length > 0 ? null : (filterPrefix ?? Prefix ?? ''),
    days: Expiration?.Days ?? null,
    xml,
  };
}

function unreadableRules(): Failure {
  const message = 'the bucket’s lifecycle rules cannot be read completely, so nothing was written';
  return localFailure(CODES.MALFORMED_REPLY, message, { service: 'cos', sent: 'answered' });
}
