/**
 * A request for a session: the person is checked by Tencent's SDK on a phone, or by Tencent's page. It has the fields of a
 * verification, and Tencent's own parameters of its flow.
 */
import { z } from 'zod';
import { regionProblem } from './actions.ts';
import { FLOW_PARAMETERS } from './flow-parameters.ts';
import { FLOW_NAMES, FLOWS, type FlowName, MEDIA_NAMES, type SessionOrder } from './flows.ts';
import { describeInvalidField, invalidRequest, requestFields, type Verification } from './request.ts';
import { source } from './sources.ts';

/** How long a session waits for the person if its request names no deadline, ms: for the token's life, and then for the tries. */
export const DEFAULT_SESSION_MS = 30 * 60_000;

const { key, region, similarityThreshold, deadline, metadata, subject, purpose, consent, webhook, frame } =
  requestFields.shape;

const common = {
  key,
  region,
  resources: z
    .strictObject({ image: source.optional() })
    .default({})
    .describe('The photo for the comparison, if the mode of the flow compares with a photo.'),
  similarityThreshold,
  deadline: deadline.describe(
    'When to stop waiting for the person. Default: 30 minutes from now. It is not later than the end of the result’s life at Tencent.',
  ),
  media: z
    .array(z.enum(MEDIA_NAMES))
    .max(MEDIA_NAMES.length)
    .default(['bestFrame'])
    .describe('What to move from Tencent to the place of the frame, as far as the result has it.'),
  ...{ metadata, subject, purpose, consent, webhook, frame },
};

const PARAMETERS = 'Parameters of the call, with Tencent’s names.';

function requestOf<Flow extends FlowName, Parameters extends z.ZodType>(flow: Flow, parameters: Parameters) {
  return z.strictObject({ action: z.literal(flow), parameters: parameters.describe(PARAMETERS), ...common });
}

const { ApplySdkVerificationToken, GetFaceIdTokenIntl, ApplyLivenessToken, ApplyWebVerificationBizTokenIntl } =
  FLOW_PARAMETERS;

export const sessionRequest = z.discriminatedUnion('action', [
  requestOf('ApplySdkVerificationToken', ApplySdkVerificationToken.default({})),
  requestOf('GetFaceIdTokenIntl', GetFaceIdTokenIntl.default({})),
  requestOf('ApplyLivenessToken', ApplyLivenessToken.default({})),
  requestOf('ApplyWebVerificationBizTokenIntl', ApplyWebVerificationBizTokenIntl),
]);

/** A request as a caller writes it: fields with a default may be omitted. */
export type SessionRequest = z.input<typeof sessionRequest>;

/** A validated session, with the fields that every record has. */
export interface Session extends Omit<Verification, 'action' | 'upload' | 'liveness'> {
  readonly action: FlowName;
  /** The photo is part of the start call's request. */
  readonly upload: 'in-request';
  readonly liveness?: undefined;
  readonly session: SessionOrder;
}

/**
 * Checks what a request says by itself, as `parseVerification` does.
 * @throws Failure `INVALID_VERIFICATION`: its message names the first invalid field, the problem and the remedy.
 */
export function parseSession(input: unknown): Session {
  const action = (input as { action?: unknown } | null)?.action;
  if (typeof input === 'object' && input !== null && !FLOW_NAMES.some((flow) => flow === action))
    throw invalidRequest('action', `is not a token flow: use one of ${FLOW_NAMES.join(', ')}`);
  const parsed = sessionRequest.safeParse(input, { reportInput: true });
  if (!parsed.success) {
    const { field, problem } = describeInvalidField(parsed.error.issues[0]);
    throw invalidRequest(field, problem);
  }
  const { parameters, media, resources, ...rest } = parsed.data;
  const unserved = regionProblem(rest.region, rest.action);
  if (unserved !== null) throw invalidRequest('region', unserved);
  const rule = FLOWS[rest.action];
  const use = rule.photo?.use(parameters) ?? 'refused';
  const { image } = resources;
  if (use === 'required' && image === undefined)
    throw invalidRequest('resources.image', `is missing: this mode of ${rest.action} compares with a photo`);
  if (use === 'refused' && image !== undefined)
    throw invalidRequest('resources.image', `is not used by this mode of ${rest.action}: omit it`);
  const missing = media.findIndex((name) => !rule.media.includes(name));
  if (missing >= 0)
    throw invalidRequest(`media.${missing}`, `is not a result of ${rest.action}: it has ${rule.media.join(', ')}`);
  return {
    ...rest,
    resources: image === undefined ? {} : { image },
    upload: 'in-request',
    lane: 'interactive',
    session: { parameters, media: [...new Set(media)] },
  };
}
