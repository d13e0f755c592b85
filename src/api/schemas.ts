/** What goes over the wire: the domain's own schemas for what comes in, and what is answered. No link, path or source is in an answer. */
import { z } from 'zod';
import { ACTION_NAMES, GATED_ACTIONS, REGIONS, RESOURCE_NAMES } from '../domain/actions.ts';
import type { ErasureReceipt } from '../domain/erasure.ts';
import { STEERS } from '../domain/gates.ts';
import { HELD_CHOICES } from '../domain/held.ts';
import { DECISIONS, FRAME_STATES, NEXT_STEPS, STAGES, STATES } from '../domain/states.ts';
import { LANES, MODES, UPLOAD_WAYS } from '../domain/verification.ts';
import type { VerificationView } from '../domain/view.ts';
import { WEBHOOK_EVENTS } from '../domain/webhooks.ts';

/** Most verifications of one batch. */
export const MOST_AT_ONCE = 1_000;
export const MOST_WAIT_S = 60;

// ── what comes in ──────────────────────────────────────────────────────────────────────────────────────────────────

export const idParams = z.strictObject({
  id: z.string().regex(/^v[0-9a-z]{25}$/, 'is no id of a verification: it is a "v" and 25 letters and digits'),
});

const wait = z.coerce
  .number('is not a number: give seconds')
  .int('is not a whole number: give seconds')
  .min(0, 'is below 0: give seconds')
  .max(MOST_WAIT_S, `is above ${MOST_WAIT_S}: wait again instead`)
  .default(0)
  .describe('Seconds to wait for the decision, in place. The verification goes on whatever comes of it.');

export const waitQuery = z.strictObject({ wait });

export const listQuery = z.strictObject({
  key: z.string().min(1).max(128).optional().describe('Your own key: at most one is found.'),
  state: z.enum(STATES).optional(),
  region: z.enum(REGIONS).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional().describe('Of the page before.'),
});

export const batchBody = z.strictObject({
  verifications: z
    .array(z.unknown())
    .min(1, 'is empty: give at least one verification')
    .max(MOST_AT_ONCE, `has more than ${MOST_AT_ONCE} entries: send several batches`),
});

const why = z
  .string()
  .min(1, 'is empty: say why, it is kept for whoever asks later')
  .max(256, 'is longer than 256 characters: use a shorter one');

export const resolveBody = z.strictObject({
  choice: z.enum(HELD_CHOICES).describe('What a person decides. No choice makes a match.'),
  why,
  payAgain: z.boolean().default(false).describe('A call was or may have been paid; it may be made again.'),
});

export const steerBody = z.strictObject({
  region: z.enum(REGIONS),
  action: z.enum(GATED_ACTIONS),
  steer: z.enum(STEERS),
  why,
});

// ── what is answered ───────────────────────────────────────────────────────────────────────────────────────────────

const time = z.iso.datetime();
const word = z.string();

const reason = z.object({
  code: word,
  class: word,
  title: word,
  advice: word.describe('What to do. For `recapture`, what to say to the person.'),
  stage: z.enum(STAGES).nullable(),
  field: word.nullable(),
  requestId: word.nullable(),
  answeredAt: time.nullable().describe('Of a package that was answered before.'),
});

export const verification = z
  .object({
    id: word,
    key: word,
    tenant: word.nullable(),
    mode: z.enum(MODES),
    action: z.enum(ACTION_NAMES),
    region: z.enum(REGIONS),
    upload: z.enum(UPLOAD_WAYS),
    lane: z.enum(LANES),
    state: z.enum(STATES),
    next: z.enum(NEXT_STEPS).describe('What to do now: the one field to branch on.'),
    decision: z.enum(DECISIONS).nullable(),
    similarity: z.number().nullable(),
    similarityThreshold: z.number(),
    reason: reason.nullable().describe('Why it waits, or why there is no answer or no match.'),
    frame: z.enum(FRAME_STATES),
    bestFrame: z.object({ bytes: z.int(), md5: word }).nullable(),
    paidCalls: z.int(),
    possiblyPaidCalls: z.int(),
    requestIds: z.array(word).describe("Tencent's."),
    stage: z.enum(STAGES),
    stages: z.array(z.object({ name: z.enum(STAGES), attempts: z.int(), ms: z.number() })),
    createdAt: time,
    deadline: time,
    decidedAt: time.nullable(),
    decidedBy: word.nullable(),
    heldUntil: time.nullable(),
    lateAnswer: z.boolean(),
    endedAt: time.nullable(),
    webhook: word.nullable().describe('Name of the endpoint that is told of it.'),
    metadata: z.record(z.string(), z.string()),
    subject: word.nullable().describe('Keyed hash of the subject that was given.'),
    purpose: word.nullable(),
    consent: z.object({ ref: word, version: word, at: word }).nullable(),
    legalHold: z.object({ by: word, why: word, since: word }).nullable(),
  })
  .meta({ id: 'Verification' });

export const historyEntry = z
  .object({
    at: time,
    event: word,
    stage: z.enum(STAGES).nullable(),
    code: word.nullable(),
    requestId: word.nullable(),
    billed: z.boolean(),
    ms: z.number().nullable(),
    by: word.nullable(),
    why: word.nullable(),
  })
  .meta({ id: 'HistoryEntry' });

export const verificationWithHistory = verification
  .extend({ history: z.array(historyEntry).describe('Oldest first; the newest 40.') })
  .meta({ id: 'VerificationWithHistory' });

export const enqueued = verification
  .extend({ enqueued: z.enum(['new', 'same']).describe('`same`: this key and payload were sent before.') })
  .meta({ id: 'Enqueued' });

export const batchAnswer = z
  .object({
    mode: z.enum(MODES),
    results: z
      .array(
        z.object({
          status: z.enum(['new', 'same', 'refused']),
          key: word,
          id: word.nullable(),
          state: z.enum(STATES).nullable(),
          problem: z
            .object({ title: word, detail: word, code: word, field: word.nullable(), cure: word })
            .nullable()
            .describe('Why it was refused.'),
        }),
      )
      .describe('One for each verification, in order.'),
  })
  .meta({ id: 'BatchAnswer' });

export const page = z
  .object({ verifications: z.array(verification), cursor: word.nullable().describe('Null: there are no more.') })
  .meta({ id: 'Page' });

export const cancelled = z
  .object({ id: word, status: z.enum(['cancelled', 'cancelling']), state: z.enum(STATES).nullable() })
  .meta({ id: 'Cancelled' });

export const acknowledged = z.object({ id: word, status: z.enum(['ok', 'not kept']) }).meta({ id: 'Acknowledged' });

const confirmation = z.object({ confirmedAt: time, by: word });

export const receipt = z
  .object({
    id: word,
    mode: z.enum(MODES),
    requestedAt: time,
    by: word,
    why: word,
    record: confirmation,
    job: confirmation.nullable(),
    objects: z.union([confirmation.extend({ versions: z.int() }), z.literal('not ours')]).nullable(),
    frame: z.union([confirmation, z.literal('none')]).nullable(),
    complete: z.boolean().describe('Everything that can be confirmed is.'),
    notConfirmed: z.array(word),
  })
  .meta({ id: 'Receipt' });

export const gate = z
  .object({
    region: z.enum(REGIONS),
    action: z.enum(GATED_ACTIONS),
    state: z.enum(['open', 'closed', 'paused']),
    code: word.nullable(),
    advice: word.nullable(),
    since: time.nullable(),
    nextProbeAt: time.nullable(),
    probes: z.number(),
    by: word.nullable(),
    why: word.nullable(),
    pace: z.number(),
    admitted: z.number(),
  })
  .meta({ id: 'Gate' });

export const gates = z.object({ mode: z.enum(MODES), gates: z.array(gate) }).meta({ id: 'Gates' });
export const steered = gates.extend({ changed: z.boolean() }).meta({ id: 'Steered' });

export const sequence = z
  .object({
    mode: z.enum(MODES),
    sequence: word.describe('What the SDK plays, in Base64.'),
    bytes: z.int().describe('Of the sequence, decoded.'),
    md5: word.describe('Of the sequence, decoded, 32 hex digits; it was checked.'),
    requestId: word.describe('Of Tencent’s answer.'),
  })
  .meta({ id: 'Sequence' });

const webhook = z
  .object({
    name: word,
    url: word.nullable().describe('Without its query. Null where it comes from the settings of the notify workers.'),
    events: z.array(z.enum(WEBHOOK_EVENTS)).nullable().describe('Null: all.'),
    secrets: z.int().describe('Two while they are being rotated.'),
    state: z.enum(['on', 'resting', 'disabled']),
    code: word.nullable().describe('Why it rests or is disabled.'),
  })
  .meta({ id: 'WebhookEndpoint' });

export const webhooks = z.object({ mode: z.enum(MODES), endpoints: z.array(webhook) }).meta({ id: 'WebhookEndpoints' });
export const webhookSecret = z.object({ name: word, secret: word }).meta({ id: 'WebhookSecret' });
export const webhookDone = z.object({ name: word }).meta({ id: 'WebhookDone' });
export const webhookTest = z
  .object({
    status: z.enum(['delivered', 'failed', 'waiting']).describe('`waiting`: is there a notify worker?'),
    code: word.nullable(),
  })
  .meta({ id: 'WebhookTest' });

export const deadNotifications = z
  .object({
    mode: z.enum(MODES),
    notifications: z.array(
      z.object({
        id: word.describe('Also its `webhook-id`.'),
        verification: word,
        event: word,
        endpoint: word,
        code: word,
        tries: z.int(),
        at: time,
      }),
    ),
  })
  .meta({ id: 'DeadNotifications' });

export const health = z.object({ status: z.enum(['ok', 'not ready']), mode: z.enum(MODES) }).meta({ id: 'Health' });

export type Answer = z.infer<typeof verification>;

/** Parts of a multipart request that are files. */
export const FILE_PARTS = RESOURCE_NAMES;

export function answerOf(view: VerificationView): Answer {
  const { history: _left, bestFrame, reason: why, stages, requestIds, ...rest } = view;
  return {
    ...rest,
    requestIds: [...requestIds],
    stages: [...stages],
    bestFrame: bestFrame === null ? null : { bytes: bestFrame.bytes, md5: bestFrame.md5 },
    reason: why === null ? null : { stage: null, field: null, requestId: null, answeredAt: null, ...why },
  };
}

/** What the vendor was given (hosts, sizes) is left to `bestframe support`. */
export function historyOf({ history }: VerificationView): z.infer<typeof historyEntry>[] {
  return history.map(({ at, event, stage, code, requestId, billed, ms, by, why: words }) => ({
    at: new Date(at).toISOString(),
    event,
    stage: stage ?? null,
    code: code ?? null,
    requestId: requestId ?? null,
    billed: billed ?? false,
    ms: ms ?? null,
    by: by ?? null,
    why: words ?? null,
  }));
}

export function receiptOf({ notConfirmed, ...rest }: ErasureReceipt): z.infer<typeof receipt> {
  return { ...rest, notConfirmed: [...notConfirmed] };
}
