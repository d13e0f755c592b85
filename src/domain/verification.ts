/**
 * What a caller asks for. One schema gives the type, the validation and the JSON Schema; past it, a verification is
 * trusted. Unknown fields are refused by name: a misspelt `deadline` must not become "no deadline".
 */
import { z } from 'zod';
import { ACTION_NAMES, ACTIONS, REGIONS, RESOURCE_NAMES, resourcesOf } from './actions.ts';
import { type Failure, inputFailure } from './failure.ts';
import { RECEIPT_ENDING } from './receipt.ts';
import { sameSource, source } from './sources.ts';
import { WEBHOOK_NAME } from './webhooks.ts';

export const UPLOAD_WAYS = ['own-bucket', 'create-upload-url'] as const;
export type UploadWay = (typeof UPLOAD_WAYS)[number];

export const LANES = ['interactive', 'batch'] as const;
export type Lane = (typeof LANES)[number];

export const MODES = ['test', 'live'] as const;
export type Mode = (typeof MODES)[number];

/** How long a verification may take when its caller does not say, by lane. */
export const DEFAULT_DEADLINE_MS: Readonly<Record<Lane, number>> = { interactive: 60_000, batch: 24 * 3_600_000 };
export const MIN_DEADLINE_MS = 1_000;
export const MAX_DEADLINE_MS = 7 * 24 * 3_600_000;
export const DEFAULT_SIMILARITY_THRESHOLD = 70;

const sources = Object.fromEntries(RESOURCE_NAMES.map((name) => [name, source.optional()])) as Record<
  (typeof RESOURCE_NAMES)[number],
  z.ZodOptional<typeof source>
>;

const NO_RECEIPT = `ends with ${RECEIPT_ENDING}, as receipts of other frames do: give it another ending`;
const isNoReceipt = (name: string) => !name.endsWith(RECEIPT_ENDING);

const frame = z.discriminatedUnion('to', [
  z.strictObject({
    to: z.literal('file'),
    name: z
      .string()
      .regex(/^(?!\.)[A-Za-z0-9._-]{1,120}$/, 'is not a plain file name: letters, digits, ".", "_" and "-" only')
      .refine(isNoReceipt, NO_RECEIPT)
      .optional()
      .describe('File name inside the frames folder; default: <id>.jpg'),
  }),
  z.strictObject({
    to: z.literal('cos'),
    bucket: z.string().min(1),
    region: z.enum(REGIONS),
    key: z.string().min(1).refine(isNoReceipt, NO_RECEIPT),
  }),
  z.strictObject({ to: z.literal('none') }),
]);
export type FrameTarget = z.infer<typeof frame>;

const printable = (what: string, most: number) =>
  z
    .string()
    .min(1, `is empty: give ${what}, or leave it out`)
    .max(most, `is longer than ${most} characters: use a shorter one`)
    .regex(/^[\x21-\x7e]*$/, 'has a forbidden character: printable ASCII without spaces only');

const consent = z
  .strictObject({
    ref: printable('where the consent is kept', 128),
    version: printable('the version of its wording', 64),
    at: z.iso.datetime({ offset: true, error: 'is not a time: write ISO 8601, e.g. 2030-01-31T12:00:00Z' }),
  })
  .describe('The consent that this check rests on: where it is kept, which wording, and when it was given.');
export type Consent = z.infer<typeof consent>;

export const verificationRequest = z
  .strictObject({
    key: z
      .string()
      .min(1, 'is empty: give a key of your own that names this check, e.g. your order or session id')
      .max(128, 'is longer than 128 characters: use a shorter id, or a hash of it')
      .regex(/^[\x21-\x7e]*$/, 'has a forbidden character: printable ASCII without spaces only')
      .describe("The caller's key. The same key with the same payload is the same verification, for ever."),
    action: z.enum(ACTION_NAMES).default('DetectReflectLivenessAndCompare'),
    region: z.enum(REGIONS),
    upload: z.enum(UPLOAD_WAYS),
    lane: z.enum(LANES).default('interactive'),
    resources: z.strictObject(sources),
    liveness: z
      .strictObject({
        type: z.enum(['SILENT', 'ACTION', 'LIP']),
        validateData: z.string().max(32).optional(),
      })
      .optional()
      .describe('VideoLivenessCompare only: LivenessType and ValidateData.'),
    similarityThreshold: z
      .number()
      .min(0, 'is below 0: give a number from 0 to 100')
      .max(100, 'is above 100: give a number from 0 to 100')
      .default(DEFAULT_SIMILARITY_THRESHOLD)
      .describe('Least similarity of a match. Tencent: 70 is about one false accept in 1,000, 80 about one in 10,000.'),
    deadline: z.iso
      .datetime({ offset: true, error: 'is not a time: write ISO 8601, e.g. 2030-01-31T12:00:00Z' })
      .optional()
      .describe('When the answer stops being of use. Default: 60 s from now (interactive), 24 h (batch).'),
    metadata: z
      .record(
        z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
        z.string().max(256, 'is longer than 256 characters: give a shorter one'),
      )
      .refine((data) => Object.keys(data).length <= 16, 'has more than 16 entries: leave some out')
      .optional()
      .describe('Up to 16 short strings, handed back as they are. Not a place for personal data.'),
    subject: printable('an id of your own', 128)
      .optional()
      .describe('Whom it is about, as an opaque id of yours; kept as a keyed hash. Export and erasure go by it.'),
    purpose: printable('a word', 64).optional().describe('What the check is for, e.g. account-opening.'),
    consent: consent.optional(),
    webhook: z
      .string()
      .regex(WEBHOOK_NAME, 'is no name of an endpoint: use one that is registered; never a URL')
      .optional()
      .describe(
        'Name of the registered webhook endpoint that is told of it; default: the deployment’s, where it has one.',
      ),
    frame: frame.default({ to: 'file' }).describe('Where BestFrame goes.'),
  })
  .superRefine((request, context) => {
    const rule = ACTIONS[request.action];
    const wanted = resourcesOf(request.action).map(([name]) => name);
    for (const name of RESOURCE_NAMES) {
      const given = request.resources[name];
      if (given === undefined && wanted.includes(name)) {
        const message = `is missing: ${request.action} takes ${wanted.join(' and ')}`;
        context.addIssue({ code: 'custom', path: ['resources', name], message });
      }
      if (given !== undefined && !wanted.includes(name)) {
        const message = `is not a resource of ${request.action}: it takes ${wanted.join(' and ')}`;
        context.addIssue({ code: 'custom', path: ['resources', name], message });
      }
    }
    const given = wanted.flatMap((name) => request.resources[name] ?? []);
    const [first, second] = given;
    if (first !== undefined && second !== undefined && sameSource(first, second)) {
      const message = `is the same resource as resources.${wanted[0]}: give two different ones`;
      context.addIssue({ code: 'custom', path: ['resources', wanted[1] ?? ''], message });
    }
    if (first?.md5 !== undefined && first.md5 === second?.md5) {
      const message = `is the MD5 of resources.${wanted[0]} too: the same bytes twice prove nothing`;
      context.addIssue({ code: 'custom', path: ['resources', wanted[1] ?? '', 'md5'], message });
    }
    if (request.liveness !== undefined && !rule.takesLiveness) {
      context.addIssue({
        code: 'custom',
        path: ['liveness'],
        message: `is not taken by ${request.action}: leave it out`,
      });
    }
    if (request.liveness === undefined && rule.takesLiveness) {
      const message = `is missing: ${request.action} needs a liveness type (SILENT, ACTION or LIP)`;
      context.addIssue({ code: 'custom', path: ['liveness'], message });
    }
  });

/** What a caller writes. */
export type VerificationRequest = z.input<typeof verificationRequest>;
/** What it means, with defaults filled in. */
export type Verification = z.output<typeof verificationRequest>;

/** The part of a verification that the stages need; dropped from the record when it ends. */
export type Order = Pick<Verification, 'action' | 'region' | 'upload' | 'resources' | 'liveness' | 'frame'>;

/** What a deployment may demand of every verification. */
export const DEMANDS = ['subject', 'purpose', 'consent'] as const;
export type Demand = (typeof DEMANDS)[number];

/** JSON Schema of what a caller writes. */
export function verificationJsonSchema(): unknown {
  return z.toJSONSchema(verificationRequest, { io: 'input', unrepresentable: 'any' });
}

/**
 * @throws Failure `INVALID_VERIFICATION`, naming the first field at fault, what is wrong and what to do.
 */
export function parseVerification(input: unknown, now: number, demanded: readonly Demand[] = []): Verification {
  const parsed = verificationRequest.safeParse(input, { reportInput: true });
  if (!parsed.success) throw describeIssue(parsed.error.issues[0]);
  for (const field of demanded) {
    if (parsed.data[field] !== undefined) continue;
    throw inputFailure('INVALID_VERIFICATION', field, `${field} is missing: BESTFRAME_DEMANDS asks for it here`);
  }
  const { deadline } = parsed.data;
  if (deadline !== undefined) {
    const ahead = Date.parse(deadline) - now;
    if (ahead < MIN_DEADLINE_MS) {
      throw inputFailure('INVALID_VERIFICATION', 'deadline', 'deadline is in the past: give a time ahead of now');
    }
    if (ahead > MAX_DEADLINE_MS) {
      throw inputFailure(
        'INVALID_VERIFICATION',
        'deadline',
        'deadline is more than 7 days ahead: give an earlier time',
      );
    }
  }
  return parsed.data;
}

/** When the answer stops being of use, in ms since 1970. */
export function deadlineOf(request: Verification, now: number): number {
  return request.deadline === undefined ? now + DEFAULT_DEADLINE_MS[request.lane] : Date.parse(request.deadline);
}

function describeIssue(issue: z.core.$ZodIssue | undefined): Failure {
  const { field, words } = wrongField(issue);
  return inputFailure('INVALID_VERIFICATION', field, `${field === '' ? 'the verification' : field} ${words}`);
}

/** What a schema found wrong, in a reader's terms: which field, and what is wrong with it and what to do. */
export function wrongField(issue: z.core.$ZodIssue | undefined): { readonly field: string; readonly words: string } {
  if (issue === undefined) return { field: '', words: 'is not valid' };
  return { field: issue.path.map(String).join('.'), words: inWords(issue) };
}

/** What is wrong with a field, and what to do. */
export function inWords(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `is not known: use one of ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `has an unknown field ${issue.keys.map((key) => `"${key}"`).join(', ')}: remove it or correct its name`;
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing: give a ${issue.expected}`
        : `has the wrong type: give a ${issue.expected}`;
    case 'invalid_union':
      return 'is of no known kind: use from "file", "https" or "cos" (frames: to "file", "cos" or "none")';
    case 'invalid_key':
      return 'has a name that is not taken: use up to 64 letters, digits, "_", "." and "-"';
    default:
      return issue.message;
  }
}
