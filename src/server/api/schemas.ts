/**
 * Schemas of parameters, bodies and answers. The schema of a verification request belongs to the domain. `answers.ts` maps domain
 * objects to answers.
 *
 * What must hold: no answer contains a link, path or source.
 */
import { z } from 'zod';
import { MAX_RETRY_PAGE } from '../../client/retry-pages.ts';
import { AUDIENCES, ERROR_CLASSES, RETAKES } from '../../domain/errors/index.ts';
import { COST_GROUPS } from '../../domain/operations/costs.ts';
import { FATES } from '../../domain/operations/data-map.ts';
import { GATE_COMMANDS } from '../../domain/operations/gates.ts';
import { HELD_CHOICES } from '../../domain/operations/held.ts';
import { RETRY_STATUSES, type RetryStatus } from '../../domain/operations/retries.ts';
import { WEBHOOK_EVENTS } from '../../domain/operations/webhooks.ts';
import { ACTION_NAMES, GATED_ACTIONS } from '../../domain/verification/actions.ts';
import { MODES } from '../../domain/verification/mode.ts';
import { PAUSES } from '../../domain/verification/pauses.ts';
import { REGIONS } from '../../domain/verification/regions.ts';
import { LANES, RECORD_WAYS } from '../../domain/verification/request.ts';
import { DECISIONS, FRAME_STATES, NEXT_STEPS, STAGES, STATES } from '../../domain/verification/states.ts';
import { erasedEvidence, evidence } from './evidence-schemas.ts';
import { cost, secondOpinion } from './opinion-schemas.ts';
import { sessionView } from './session-schemas.ts';

const MAX_BATCH = 1_000;
const MAX_WAIT_S = 60;
/** The longest wait that a request may specify. Common proxies (nginx, ALB) end a request after 60 s by default. */
const LONGEST_WAIT_S = 50;

// ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const idParams = z.strictObject({
  id: z.string().regex(/^v[0-9a-z]{25}$/, 'is not a verification id: give "v" and 25 lower-case letters and digits'),
});

const wait = z.coerce
  .number('is not a number: give seconds')
  .int('is not a whole number: give seconds')
  .min(0, 'is below 0: give seconds')
  .max(MAX_WAIT_S, `is above ${MAX_WAIT_S}: send another request with a wait instead`)
  .default(0)
  .describe(
    `Seconds to wait for the decision. More than ${LONGEST_WAIT_S} count as ${LONGEST_WAIT_S}: proxies close a connection that is silent for a minute. The verification continues when the time is up.`,
  )
  .transform((seconds) => Math.min(seconds, LONGEST_WAIT_S));

export const waitQuery = z.strictObject({ wait });

export const listQuery = z.strictObject({
  key: z.string().min(1).max(128).optional().describe('Your own key. At most one verification has it.'),
  state: z.enum(STATES).optional(),
  decision: z.enum(DECISIONS).optional(),
  code: z.string().min(1).max(128).optional().describe('Code of the reason.'),
  class: z.enum(ERROR_CLASSES).optional().describe('Error class of the reason.'),
  region: z.enum(REGIONS).optional(),
  lane: z.enum(LANES).optional(),
  since: z.iso.datetime({ offset: true }).optional().describe('Only verifications that were enqueued since.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional().describe('The `cursor` of the previous page.'),
});

export const batchBody = z.strictObject({
  verifications: z
    .array(z.unknown())
    .min(1, 'is empty: give at least one verification')
    .max(MAX_BATCH, `has more than ${MAX_BATCH} entries: send several batches`),
});

const why = z
  .string()
  .min(1, 'is empty: give the reason, which is kept with the act')
  .max(256, 'is longer than 256 characters: give a shorter reason');

export const resolveBody = z.strictObject({
  choice: z.enum(HELD_CHOICES).describe('The operator’s decision. No choice results in a match.'),
  why,
  payAgain: z
    .boolean()
    .default(false)
    .describe('Allows another paid call although an earlier one was, or may have been, billed.'),
});

export const steerBody = z.strictObject({
  region: z.enum(REGIONS),
  action: z.enum(GATED_ACTIONS),
  steer: z.enum(GATE_COMMANDS),
  why,
});

/** The values of the fields are checked by the client, so that a refusal has the same message through both clients. */
export const retryBody = z.strictObject({
  ids: z
    .array(z.string().max(64))
    .max(MAX_RETRY_PAGE, `has more than ${MAX_RETRY_PAGE} entries: send several requests`)
    .optional()
    .describe('Only these, in place of the other filters.'),
  class: z
    .string()
    .max(32)
    .optional()
    .describe(`Error class of the reason for the end: ${ERROR_CLASSES.join(', ')}.`),
  code: z.string().min(1).max(128).optional().describe('Code of the reason for the end.'),
  since: z.string().max(64).optional().describe('Those that ended at this time or later, as 2026-11-25T09:30:00Z.'),
  region: z.enum(REGIONS).optional(),
  dryRun: z.boolean().default(false).describe('Only says what would happen.'),
  limit: z.int().min(1).max(MAX_RETRY_PAGE).default(50).describe('Most verifications in this page.'),
  cursor: z.string().max(96).optional().describe('The `cursor` of the previous page.'),
  why: z.string().max(1_024).default('').describe('The reason, which is kept. Needed unless `dryRun` is true.'),
});

// ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────

const time = z.iso.datetime();
const text = z.string();

const reason = z.object({
  code: text,
  class: text,
  title: text,
  advice: text.describe('What your backend does.'),
  personAdvice: text.nullable().describe('What to tell the person in front of the camera.'),
  audience: z.enum(AUDIENCES).describe('Who has to act.'),
  stage: z.enum(STAGES).nullable(),
  field: text.nullable(),
  requestId: text.nullable(),
  answeredAt: time.nullable().describe('When the same live data was answered before.'),
  dependency: text.nullable().describe('With DEPENDENCY_DOWN: what is down.'),
  waitedFor: z
    .object({ code: text, class: text, dependency: text.nullable() })
    .nullable()
    .describe('With DEADLINE_EXCEEDED: the reason of the last wait, if there was one.'),
  similarity: z.number().nullable().describe('With the decision `no_match`.'),
  threshold: z.number().nullable().describe('With the decision `no_match`: lowest similarity of a match.'),
});

export const verification = z
  .object({
    id: text,
    key: text,
    tenant: text.nullable(),
    mode: z.enum(MODES),
    action: z.enum(ACTION_NAMES),
    region: z.enum(REGIONS),
    upload: z.enum(RECORD_WAYS).describe('`in-request`: the photo of a session is part of its start call.'),
    lane: z.enum(LANES),
    state: z.enum(STATES),
    next: z.enum(NEXT_STEPS).describe('What to do now. Branch on this field.'),
    decision: z.enum(DECISIONS).nullable(),
    similarity: z.number().nullable(),
    similarityThreshold: z.number(),
    reason: reason
      .nullable()
      .describe('Why the verification waits, or has no answer or no match. Set with every decision but `match`.'),
    retake: z.enum(RETAKES).describe('What to take again before a new verification.'),
    pausedBy: z.enum(PAUSES).nullable().describe('What holds it up although it could go on.'),
    retryAfter: time
      .nullable()
      .describe('When it is tried again. Null if it does not wait, or if only a person can end the wait.'),
    frame: z.enum(FRAME_STATES),
    bestFrame: z.object({ bytes: z.int(), md5: text }).nullable(),
    paidCalls: z.int(),
    possiblyPaidCalls: z.int().describe('Calls that the vendor may bill, and `paidCalls` does not count.'),
    cost: cost.nullable().describe('Null where the deployment has no prices.'),
    requestIds: z.array(text).describe('RequestIds of Tencent Cloud.'),
    stage: z.enum(STAGES),
    stages: z.array(z.object({ name: z.enum(STAGES), attempts: z.int(), ms: z.number() })),
    secondOpinion: secondOpinion.nullable().describe('Null if the request did not ask for one.'),
    session: sessionView.nullable().describe('Only of a session. The token is not in it.'),
    createdAt: time,
    deadline: time,
    decidedAt: time.nullable(),
    decidedBy: text.nullable(),
    heldUntil: time.nullable(),
    lateAnswer: z.boolean(),
    endedAt: time.nullable(),
    evidence: evidence
      .nullable()
      .describe('Copies of what the decision was based on, under lock. Null: there are none.'),
    retries: z.int().describe('How often an operator started it again after its end.'),
    webhook: text.nullable().describe('Name of the endpoint that is notified.'),
    metadata: z.record(z.string(), z.string()),
    subject: text.nullable().describe('Keyed hash of the given subject.'),
    purpose: text.nullable(),
    consent: z.object({ ref: text, version: text, at: text }).nullable(),
    legalHold: z.object({ by: text, why: text, since: text }).nullable(),
    traceId: text.nullable().describe('Id of the trace, 32 hex digits. Null without a `traceparent`.'),
  })
  .meta({ id: 'Verification' });

export const historyEntry = z
  .object({
    at: time,
    event: text,
    stage: z.enum(STAGES).nullable(),
    code: text.nullable(),
    requestId: text.nullable(),
    billed: z.boolean(),
    possiblyBilled: z.boolean().describe('The vendor may bill the call: its answer, or the bill for it, is unknown.'),
    cost: text.nullable().describe('What the call costs or may cost, e.g. `0.15 USD`. Null without a price.'),
    ms: z.number().nullable(),
    by: text.nullable(),
    why: text.nullable(),
  })
  .meta({ id: 'HistoryEntry' });

export const verificationWithHistory = verification
  .extend({
    history: z
      .array(historyEntry)
      .describe(
        'The newest 40 entries, oldest first. The event `altered` stands where entries were changed in Redis (only with a key ring).',
      ),
  })
  .meta({ id: 'VerificationWithHistory' });

export const enqueued = verification
  .extend({ enqueued: z.enum(['new', 'same']).describe('`same`: this key and payload were submitted before.') })
  .meta({ id: 'Enqueued' });

export const batchAnswer = z
  .object({
    mode: z.enum(MODES),
    results: z
      .array(
        z.object({
          status: z.enum(['new', 'same', 'refused']),
          key: text,
          id: text.nullable(),
          state: z.enum(STATES).nullable(),
          problem: z
            .object({ title: text, detail: text, code: text, field: text.nullable(), cure: text })
            .nullable()
            .describe('Why the verification was refused.'),
        }),
      )
      .describe('One result for each verification, in order.'),
  })
  .meta({ id: 'BatchAnswer' });

export const page = z
  .object({ verifications: z.array(verification), cursor: text.nullable().describe('Null on the last page.') })
  .meta({ id: 'Page' });

export const cancelled = z
  .object({ id: text, status: z.enum(['cancelled', 'cancelling']), state: z.enum(STATES).nullable() })
  .meta({ id: 'Cancelled' });

export const acknowledged = z.object({ id: text, status: z.enum(['ok', 'not_kept']) }).meta({ id: 'Acknowledged' });

const confirmation = z.object({ confirmedAt: time, by: text });

export const receipt = z
  .object({
    id: text,
    mode: z.enum(MODES),
    requestedAt: time,
    by: text,
    why: text,
    record: confirmation,
    job: confirmation.nullable(),
    objects: z.union([confirmation.extend({ versions: z.int() }), z.literal('not_ours')]).nullable(),
    frame: z.union([confirmation, z.literal('none')]).nullable(),
    evidence: erasedEvidence
      .nullable()
      .describe('The evidence. With `lockedUntil`, it cannot be deleted before then, and is deleted afterwards.'),
    complete: z
      .boolean()
      .describe('True when every deletion that can be confirmed is confirmed. Evidence under lock is deleted later.'),
    notConfirmed: z.array(text),
    aof: z
      .enum(['rewritten', 'not_yet', 'off', 'unknown'])
      .describe('Whether Redis has rewritten its append-only file since everything was deleted. `off`: it has none.'),
    data: z
      .array(z.object({ data: text, fate: z.enum(FATES), note: text }))
      .describe('Every class of data of the data map, and what became of it.'),
  })
  .meta({ id: 'Receipt' });

export const gate = z
  .object({
    region: z.enum(REGIONS),
    action: z.enum(GATED_ACTIONS),
    state: z.enum(['open', 'closed', 'paused']),
    code: text.nullable(),
    advice: text.nullable(),
    since: time.nullable(),
    nextProbeAt: time.nullable(),
    probes: z.number(),
    by: text.nullable(),
    why: text.nullable(),
    pace: z.number(),
    admitted: z.number(),
  })
  .meta({ id: 'Gate' });

const breaker = z
  .object({
    region: z.enum(REGIONS),
    dependency: text.describe('`faceid:<action>`, `CreateUploadUrl`, `cos:put`, `cos:get` or `source:<host>`.'),
    state: z.enum(['working', 'down']).describe('`down`: verifications that need it wait, and no attempt is counted.'),
    code: text.nullable().describe('Code of the last trouble.'),
    since: time.nullable(),
    nextProbeAt: time.nullable(),
    probes: z.int().describe('Probes that failed since it is down.'),
    worked: z.int().describe('Recent calls that worked.'),
    failed: z.int().describe('Recent calls that met trouble.'),
  })
  .meta({ id: 'Breaker' });

export const gates = z
  .object({ mode: z.enum(MODES), gates: z.array(gate), breakers: z.array(breaker) })
  .meta({ id: 'Gates' });
export const steered = gates.extend({ changed: z.boolean() }).meta({ id: 'Steered' });

export const sequence = z
  .object({
    mode: z.enum(MODES),
    sequence: text.describe('The sequence for the SDK, in Base64.'),
    bytes: z.int().describe('Size of the decoded sequence.'),
    md5: text.describe('Verified MD5 of the decoded sequence, 32 hex digits.'),
    requestId: text.describe('RequestId of Tencent Cloud.'),
  })
  .meta({ id: 'Sequence' });

const webhook = z
  .object({
    name: text,
    url: text.nullable().describe('Without its query string. Null if the settings of the notify workers define it.'),
    events: z.array(z.enum(WEBHOOK_EVENTS)).nullable().describe('Null: all events.'),
    secrets: z.int().describe('Number of secrets: two during a rotation.'),
    state: z.enum(['on', 'resting', 'disabled']),
    code: text.nullable().describe('Why the endpoint is resting or disabled.'),
  })
  .meta({ id: 'WebhookEndpoint' });

export const webhooks = z.object({ mode: z.enum(MODES), endpoints: z.array(webhook) }).meta({ id: 'WebhookEndpoints' });
export const webhookSecret = z.object({ name: text, secret: text }).meta({ id: 'WebhookSecret' });
export const webhookDone = z.object({ name: text }).meta({ id: 'WebhookDone' });
export const webhookTest = z
  .object({
    status: z
      .enum(['delivered', 'failed', 'waiting'])
      .describe('`waiting`: not sent yet. Check that a notify worker runs.'),
    code: text.nullable(),
  })
  .meta({ id: 'WebhookTest' });

export const deadNotifications = z
  .object({
    mode: z.enum(MODES),
    notifications: z.array(
      z.object({
        id: text.describe('Also the `webhook-id` of its deliveries.'),
        verification: text,
        event: text,
        endpoint: text,
        code: text,
        tries: z.int(),
        at: time,
      }),
    ),
  })
  .meta({ id: 'DeadNotifications' });

const costRow = { paidCalls: z.int(), possiblyPaidCalls: z.int(), costs: z.array(cost) };

export const costsQuery = z.strictObject({
  by: z.enum(COST_GROUPS).default('day'),
  since: text.optional().describe('First day, as 2026-11-01. 30 days before `until` where it is not given.'),
  until: text.optional().describe('Last day, included. Today where it is not given.'),
});

export const costs = z
  .object({
    mode: z.enum(MODES),
    by: z.enum(COST_GROUPS),
    sums: z.array(z.object({ name: text, ...costRow })).describe('Sorted by name.'),
  })
  .meta({ id: 'Costs' });

export const retries = z
  .object({
    mode: z.enum(MODES),
    dryRun: z.boolean(),
    results: z.array(
      z.object({
        id: text,
        code: text.nullable().describe('Why it had ended.'),
        status: z
          .enum(Object.keys(RETRY_STATUSES) as [RetryStatus, ...RetryStatus[]])
          .describe('`run` or `frame`: it has started again. Everything else: it is untouched, for this reason.'),
      }),
    ),
    cursor: text.nullable().describe('Null on the last page. A page may be empty and still have a next one.'),
  })
  .meta({ id: 'Retries' });

export const health = z
  .object({
    status: z.enum(['ok', 'not_ready']),
    mode: z.enum(MODES),
    reasons: z.array(z.string()).optional().describe('Why the process is not ready, in words'),
  })
  .meta({ id: 'Health' });
