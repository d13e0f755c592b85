/**
 * A caller's request. One schema gives the type, the validation and the JSON Schema. Code that receives a parsed request does not
 * validate it again. Unknown fields are refused by name: a misspelt `deadline` must not become "no deadline".
 */
import { z } from 'zod';
import { type Failure, inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';
import {
  ACTIONS,
  type ActionName,
  CHECK_NAMES,
  DEFAULT_ACTION,
  isUploaded,
  LIVENESS_TYPES,
  RESOURCE_NAMES,
  type ResourceName,
  regionProblem,
  resourcesOf,
} from './actions.ts';
import type { SessionOrder } from './flows.ts';
import { RECEIPT_SUFFIX } from './frame-receipt.ts';
import { ID_START, WEBHOOK_NAME_PATTERN } from './names.ts';
import { objectKeySchema } from './object-key.ts';
import { REGIONS } from './regions.ts';
import { bucketName, sameSource, source } from './sources.ts';

/** How resources reach Tencent: through a bucket of the company, or through links of CreateUploadUrl. */
export const UPLOAD_WAYS = ['own-bucket', 'create-upload-url'] as const;
/** How the resources of a record reach Tencent. `in-request`: as part of the call itself. */
export const RECORD_WAYS = [...UPLOAD_WAYS, 'in-request'] as const;
export type UploadWay = (typeof RECORD_WAYS)[number];
const IN_REQUEST: UploadWay = 'in-request';

/** `interactive`: a person waits for the answer. `batch`: everything else. Batch verifications yield to interactive ones. */
export const LANES = ['interactive', 'batch'] as const;
export type Lane = (typeof LANES)[number];

/** Default deadline by lane, in ms after the request. */
export const DEFAULT_DEADLINE_MS: Readonly<Record<Lane, number>> = { interactive: 60_000, batch: 24 * 3_600_000 };
export const MIN_DEADLINE_MS = 1_000;
const DAY_MS = 24 * 3_600_000;
export const MAX_DEADLINE_MS = 7 * DAY_MS;
/** 0–100. */
export const DEFAULT_SIMILARITY_THRESHOLD = 70;

const PRINTABLE_ASCII = /^[\x21-\x7e]*$/;
const FORBIDDEN_CHARACTER = 'has a forbidden character: use printable ASCII without spaces only';
const NOT_A_TIME = 'is not a time: write ISO 8601, e.g. 2030-01-31T12:00:00Z';

const sources = Object.fromEntries(RESOURCE_NAMES.map((name) => [name, source.optional()])) as Record<
  ResourceName,
  z.ZodOptional<typeof source>
>;

const ENDS_LIKE_RECEIPT = `ends with ${RECEIPT_SUFFIX}, which is reserved for receipts: choose another ending`;
const isNotReceipt = (name: string) => !name.endsWith(RECEIPT_SUFFIX);

const frame = z.discriminatedUnion('to', [
  z.strictObject({
    to: z.literal('file'),
    name: z
      .string()
      .regex(/^(?!\.)[A-Za-z0-9._-]{1,120}$/, 'is not a plain file name: use letters, digits, ".", "_" and "-" only')
      .refine(isNotReceipt, ENDS_LIKE_RECEIPT)
      .refine(
        (name) => !ID_START.test(name),
        'starts like the id of a verification, which is reserved: choose another start',
      )
      .optional()
      .describe('File name inside the frames folder. Default: <id>.jpg'),
  }),
  z.strictObject({
    to: z.literal('cos'),
    bucket: bucketName,
    region: z.enum(REGIONS),
    key: objectKeySchema(RECEIPT_SUFFIX.length).refine(isNotReceipt, ENDS_LIKE_RECEIPT),
  }),
  z.strictObject({ to: z.literal('none') }),
]);
/** Where BestFrame is stored: a file in the frames folder, a COS object, or nowhere. */
export type FrameTarget = z.infer<typeof frame>;

function printableText(example: string, maxChars: number) {
  return z
    .string()
    .min(1, `is empty: give ${example}, or omit the field`)
    .max(maxChars, `is longer than ${maxChars} characters: use a shorter one`)
    .regex(PRINTABLE_ASCII, FORBIDDEN_CHARACTER);
}

const consent = z
  .strictObject({
    ref: printableText('a reference to the stored consent', 128),
    version: printableText('the version of the consent text', 64),
    at: z.iso.datetime({ offset: true, error: NOT_A_TIME }),
  })
  .describe(
    'The consent that this check is based on: a reference to it, the version of its text, and when it was given.',
  );
/** A reference to the person's consent, the version of its text, and when it was given (ISO 8601). */
export type Consent = z.infer<typeof consent>;

export const requestFields = z.strictObject({
  key: z
    .string()
    .min(1, 'is empty: give a key of your own that names this check, e.g. your order or session id')
    .max(128, 'is longer than 128 characters: use a shorter id, or a hash of it')
    .regex(PRINTABLE_ASCII, FORBIDDEN_CHARACTER)
    .describe("The caller's own key. The same key with the same payload is always the same verification."),
  action: z.enum(CHECK_NAMES).default(DEFAULT_ACTION).describe('The FaceID call.'),
  region: z.enum(REGIONS).describe('Region of the FaceID API.'),
  upload: z
    .enum(UPLOAD_WAYS)
    .optional()
    .describe(
      "How resources reach Tencent: through your own bucket, or through CreateUploadUrl to Tencent's bucket. CompareFaceLiveness takes none, because its call carries the files; the other actions need one.",
    ),
  lane: z
    .enum(LANES)
    .default('interactive')
    .describe('interactive: a person waits for the answer. batch: yields to interactive verifications.'),
  resources: z.strictObject(sources).describe('Where the files of the check are. Each action takes two of them.'),
  liveness: z
    .strictObject({
      type: z.enum(LIVENESS_TYPES),
      validateData: z.string().max(32, 'is longer than 32 characters: use a shorter one').optional(),
    })
    .optional()
    .describe(
      'VideoLivenessCompare and CompareFaceLiveness (without LIP) only: LivenessType and ValidateData. LIP takes the four digits, ACTION one or two actions ("2,1"), SILENT nothing.',
    ),
  similarityThreshold: z
    .number()
    .min(0, 'is below 0: give a number from 0 to 100')
    .max(100, 'is above 100: give a number from 0 to 100')
    .optional()
    .describe(
      `Lowest similarity of a match. Tencent: 70 means about one false accept in 1,000, 80 about one in 10,000. Default: that of the tenant's policy, or ${DEFAULT_SIMILARITY_THRESHOLD}.`,
    ),
  deadline: z.iso
    .datetime({ offset: true, error: NOT_A_TIME })
    .optional()
    .describe('The time after which the answer is useless. Default: 60 s from now (interactive), 24 h (batch).'),
  metadata: z
    .record(
      z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/),
      z.string().max(256, 'is longer than 256 characters: use a shorter one'),
    )
    .refine((data) => Object.keys(data).length <= 16, 'has more than 16 entries: remove some')
    .optional()
    .describe('Up to 16 short strings, returned unchanged. Do not put personal data here.'),
  subject: printableText('an id of your own', 128)
    .optional()
    .describe(
      'The person, as an opaque id of your own. Stored as a keyed hash; export and erasure find verifications by it.',
    ),
  purpose: printableText('a word', 64).optional().describe('Purpose of the check, e.g. account-opening.'),
  consent: consent.optional(),
  webhook: z
    .string()
    .regex(WEBHOOK_NAME_PATTERN, 'is not an endpoint name: use the name of a registered endpoint, not a URL')
    .optional()
    .describe(
      'Name of the registered webhook endpoint to notify. Default: the endpoint of the deployment, if it has one.',
    ),
  frame: frame.default({ to: 'file' }).describe('Where BestFrame is stored.'),
  secondOpinion: z
    .boolean()
    .optional()
    .describe(
      'Whether to ask DetectAIFakeFaces about BestFrame before the person is accepted: a paid call of its own. It needs a stored frame. Default: false.',
    ),
});

type RequestFields = z.output<typeof requestFields>;

/** A conflict between fields that are valid on their own. */
interface Conflict {
  readonly path: string[];
  readonly message: string;
}

export const verificationRequest = requestFields
  .superRefine((request, context) => {
    const conflicts = [
      ...[findRegionConflicts, findUploadConflicts, findResourceConflicts, findLivenessConflicts, findOpinionConflicts],
    ].flatMap((find) => find(request));
    for (const conflict of conflicts) context.addIssue({ code: 'custom', ...conflict });
  })
  .transform(({ upload, secondOpinion, ...request }) => ({
    ...request,
    upload: upload ?? IN_REQUEST,
    // Absent if it is not asked for, so that a request has the same fingerprint with `false` as without it.
    ...(secondOpinion === true ? { secondOpinion } : {}),
  }));

function findOpinionConflicts({ secondOpinion, frame }: RequestFields): Conflict[] {
  if (secondOpinion !== true || frame.to !== 'none') return [];
  const message = 'needs the frame, which is what it judges: choose where to store the frame, or omit secondOpinion';
  return [{ path: ['secondOpinion'], message }];
}

function findUploadConflicts({ action, upload }: RequestFields): Conflict[] {
  if ((upload !== undefined) === isUploaded(action)) return [];
  const message =
    upload === undefined
      ? `is missing: ${action} needs one of ${UPLOAD_WAYS.join(', ')}`
      : `is not a parameter of ${action}, whose call carries the files: omit it`;
  return [{ path: ['upload'], message }];
}

function findRegionConflicts({ region, action }: RequestFields): Conflict[] {
  const message = regionProblem(region, action);
  return message === null ? [] : [{ path: ['region'], message }];
}

/** A request must name exactly the resources of its action, and their sources must differ. */
function findResourceConflicts({ action, resources }: RequestFields): Conflict[] {
  const expected = resourcesOf(action).map(([name]) => name);
  const conflicts: Conflict[] = [];
  for (const name of RESOURCE_NAMES) {
    const isGiven = resources[name] !== undefined;
    if (isGiven === expected.includes(name)) continue;
    const problem = isGiven ? `is not a resource of ${action}: it takes` : `is missing: ${action} takes`;
    conflicts.push({ path: ['resources', name], message: `${problem} ${expected.join(' and ')}` });
  }
  const [first, second] = expected.flatMap((name) => resources[name] ?? []);
  const [firstName, secondName = ''] = expected;
  if (first !== undefined && second !== undefined && sameSource(first, second)) {
    const message = `is the same resource as resources.${firstName}: give two different ones`;
    conflicts.push({ path: ['resources', secondName], message });
  }
  if (first?.md5 !== undefined && first.md5 === second?.md5) {
    const message = `is the MD5 of resources.${firstName} too: the same bytes twice prove nothing, give two different files`;
    conflicts.push({ path: ['resources', secondName, 'md5'], message });
  }
  return conflicts;
}

/** The format that Tencent requires of ValidateData, for each LivenessType. */
const VALIDATE_DATA = {
  SILENT: { pattern: /^$/, words: 'is not empty: with SILENT there is nothing to compare, omit it' },
  LIP: {
    pattern: /^\d{4}$/,
    words: 'is not a code: with LIP, give the four digits that the person read out, e.g. 1234',
  },
  ACTION: {
    pattern: /^[1-4](?:,[1-4])?$/,
    words: 'is not a sequence: with ACTION, give the one or two actions that the person did, e.g. 2,1',
  },
} as const;

function findLivenessConflicts({ action, liveness }: RequestFields): Conflict[] {
  const { livenessTypes } = ACTIONS[action];
  const takesLiveness = livenessTypes.length > 0;
  if (takesLiveness && liveness !== undefined) {
    if (!livenessTypes.includes(liveness.type)) {
      const message = `is not a type of ${action}: use one of ${livenessTypes.join(', ')}`;
      return [{ path: ['liveness', 'type'], message }];
    }
    const { pattern, words } = VALIDATE_DATA[liveness.type];
    return pattern.test(liveness.validateData ?? '') ? [] : [{ path: ['liveness', 'validateData'], message: words }];
  }
  if ((liveness !== undefined) === takesLiveness) return [];
  const message = takesLiveness
    ? `is missing: ${action} needs a liveness type, one of ${livenessTypes.join(', ')}`
    : `is not a parameter of ${action}: omit it`;
  return [{ path: ['liveness'], message }];
}

/** A request as a caller writes it: fields with a default may be omitted. */
export type VerificationRequest = z.input<typeof verificationRequest>;
/** A validated request, with defaults filled in. */
export type Verification = z.output<typeof verificationRequest>;

/** The part of a verification that the stages need. The record drops it when the verification ends. */
export interface Order extends Pick<Verification, 'region' | 'resources' | 'liveness' | 'frame'> {
  readonly action: ActionName;
  readonly upload: UploadWay;
  /** Only of a session. */
  readonly session?: SessionOrder | undefined;
}

/** Optional fields that a deployment can require of every verification, see BESTFRAME_DEMANDS. */
export const REQUIRABLE_FIELDS = ['subject', 'purpose', 'consent'] as const;
export type RequirableField = (typeof REQUIRABLE_FIELDS)[number];

/** JSON Schema of {@link VerificationRequest}. */
export function verificationJsonSchema(): unknown {
  return z.toJSONSchema(verificationRequest, { io: 'input', unrepresentable: 'any' });
}

/**
 * Checks what a request says by itself. What depends on the deployment and the time is checked later, because a request that is
 * repeated may have been accepted before.
 * @throws Failure `INVALID_VERIFICATION`: its message names the first invalid field, the problem and the remedy.
 */
export function parseVerification(input: unknown): Verification {
  const parsed = verificationRequest.safeParse(input, { reportInput: true });
  if (!parsed.success) {
    const { field, problem } = describeInvalidField(parsed.error.issues[0]);
    throw invalidRequest(field, problem);
  }
  return parsed.data;
}

/** @throws Failure INVALID_VERIFICATION if a field is missing that the deployment requires */
export function checkRequired(
  request: { readonly [Field in RequirableField]?: unknown },
  required: readonly RequirableField[],
): void {
  const missing = required.find((field) => request[field] === undefined);
  if (missing !== undefined) throw invalidRequest(missing, 'is missing: this deployment requires it');
}

/** @throws Failure INVALID_VERIFICATION unless the deadline is at least a second and at most `mostMs` ahead */
export function checkDeadline(deadline: string | undefined, now: number, mostMs: number): void {
  if (deadline === undefined) return;
  const ahead = Date.parse(deadline) - now;
  if (ahead < MIN_DEADLINE_MS)
    throw invalidRequest('deadline', 'is in the past or too close: give a time at least 1 second ahead');
  if (ahead <= mostMs) return;
  const most = mostMs < DAY_MS ? `${mostMs / 3_600_000} hours` : `${mostMs / DAY_MS} days`;
  throw invalidRequest('deadline', `is more than ${most} ahead: give an earlier time`);
}

/** @returns the deadline in ms since 1970. */
export function deadlineOf(request: Verification, now: number): number {
  return request.deadline === undefined ? now + DEFAULT_DEADLINE_MS[request.lane] : Date.parse(request.deadline);
}

export function invalidRequest(field: string, problem: string): Failure {
  return inputFailure(CODES.INVALID_VERIFICATION, field, `${field === '' ? 'the verification' : field} ${problem}`);
}

/** The invalid field as a dotted path, and a predicate that says what is wrong and what to do: "is missing: give a string". */
export function describeInvalidField(issue: z.core.$ZodIssue | undefined): {
  readonly field: string;
  readonly problem: string;
} {
  if (issue === undefined) return { field: '', problem: 'is not valid' };
  return { field: issue.path.map(String).join('.'), problem: describeProblem(issue) };
}

function describeProblem(issue: z.core.$ZodIssue): string {
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
      return 'is not a known kind: use "file", "https" or "cos" for sources, "file", "cos" or "none" for frames';
    case 'invalid_key':
      return 'has an invalid name: use up to 64 letters, digits, "_", "." and "-"';
    default:
      return issue.message;
  }
}
