/** Schemas of the parameters and answers of sessions. */
import { z } from 'zod';
import { MEDIA_NAMES } from '../../domain/verification/flows.ts';
import { STATES } from '../../domain/verification/states.ts';

const time = z.iso.datetime();
const text = z.string();

const MAX_WAIT_S = 50;

export const startQuery = z.strictObject({
  wait: z.coerce
    .number('is not a number: give seconds')
    .int('is not a whole number: give seconds')
    .min(0, 'is below 0: give seconds')
    .max(MAX_WAIT_S, `is above ${MAX_WAIT_S}: send the request again instead`)
    .default(10)
    .describe('Seconds to wait for the token.'),
});

export const session = z
  .object({
    id: z.string(),
    key: z.string(),
    enqueued: z.enum(['new', 'same']).describe('`same`: this key and payload were submitted before.'),
    state: z.enum(STATES),
    token: z
      .string()
      .nullable()
      .describe('For Tencent’s SDK or page. A secret: give it only to the phone or browser of this person.'),
    url: z.string().nullable().describe('Address of Tencent’s page, for the flow with a page.'),
    serverParamInfo: z
      .string()
      .nullable()
      .describe('What Tencent’s SDK takes with the token, for ApplySdkVerificationToken. A secret, like the token.'),
    startBy: z.iso.datetime().nullable().describe('The person must begin by then.'),
  })
  .meta({ id: 'Session' });

export const finished = z
  .object({
    id: z.string(),
    status: z
      .enum(['asked', 'early', 'decided', 'ended'])
      .describe('`asked`: the result is asked for now. `early`: the session has no token yet.'),
  })
  .meta({ id: 'SessionFinished' });

/** What a verification says about its session. */
export const sessionView = z.object({
  startedAt: time.nullable().describe('When Tencent issued the token. Null before that, and after the end.'),
  startBy: time.nullable().describe('The person must begin by then.'),
  resultUntil: time.nullable().describe('Tencent keeps the result until then.'),
  toldAt: time.nullable().describe('When your backend last reported that the person has finished.'),
  chargeCount: z.int().nullable().describe('How many checks Tencent bills. Null if its result does not say.'),
  tries: z.int().describe('Tries of the person that Tencent lists.'),
  deviceRisk: text.nullable().describe('`1` (secure) to `4` (high risk).'),
  livenessTags: z.array(text).describe('Tencent’s reasons for a failed liveness check.'),
  wanted: z.array(z.enum(MEDIA_NAMES)).describe('What is to be moved from Tencent. Empty after the end.'),
  media: z
    .array(z.object({ name: z.enum(MEDIA_NAMES), bytes: z.int(), md5: text, type: text.describe('Content type.') }))
    .describe('What was stored besides the frame: read it with `GET /v1/verifications/{id}/media/{name}`.'),
});
