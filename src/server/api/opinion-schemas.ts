/** What an answer says about costs, and about the second opinion. */
import { z } from 'zod';
import { RISK_LEVELS } from '../../domain/verification/outcomes.ts';
import { OPINION_STATUSES } from '../../domain/verification/states.ts';

const text = z.string();

export const cost = z.object({ currency: text, paid: z.number(), possiblyPaid: z.number() });

export const secondOpinion = z.object({
  status: z
    .enum(OPINION_STATUSES)
    .describe(
      '`not_needed`: there is nothing to accept. `suspected`: the risk is high. `unclear`: Tencent cannot judge the picture.',
    ),
  level: z.enum(RISK_LEVELS).nullable().describe('How Tencent rates the risk of an attack.'),
  attacks: z.array(text).describe('The attacks that Tencent suspects, by its own names.'),
  code: text.nullable().describe('Why there is no answer.'),
  requestId: text.nullable(),
  paidCalls: z.int(),
  possiblyPaidCalls: z.int(),
  cost: cost.nullable().describe('Null where the deployment has no prices.'),
});
