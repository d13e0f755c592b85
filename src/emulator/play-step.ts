/** The steps that tests take in place of the phone or the web page. */
import { z } from 'zod';
import { CARDS } from './cards.ts';

const token = z.string().min(1);
const attempt = {
  /** A named test card, or a result code. */
  card: z
    .string()
    .refine((card) => Object.hasOwn(CARDS, card) || /^\d{1,5}$/.test(card), 'use a test card or a result code')
    .exactOptional(),
  similarity: z.number().min(0).max(100).exactOptional(),
  /** Liveness tags, 01 to 14, for the editions that answer them. */
  tags: z.array(z.string().regex(/^\d\d$/)).exactOptional(),
  /** The device's risk level, for the editions that answer it. @default '1' */
  deviceLevel: z.enum(['', '1', '2', '3', '4']).exactOptional(),
  /** Size of each video, roughly. @default 20000 */
  videoBytes: z.int().min(0).max(10_000_000).exactOptional(),
};

export const playStepSchema = z.discriminatedUnion('step', [
  /** Opens the session. Further steps can follow after the token has expired. */
  z.strictObject({ token, step: z.literal('start') }),
  /** Makes an attempt. A success or the last attempt that the session allows ends it. */
  z.strictObject({ token, step: z.literal('try'), ...attempt }),
  /** Makes an attempt that ends the session. */
  z.strictObject({ token, step: z.literal('finish'), ...attempt }),
  /** Makes attempts that fail, until none is left. The default card is `notLive`. */
  z.strictObject({ token, step: z.literal('exhaust'), ...attempt }),
  /** The person closes the app or the page. */
  z.strictObject({ token, step: z.literal('leave') }),
  /** The app or the page gives up waiting for the person. */
  z.strictObject({ token, step: z.literal('timeout') }),
]);

export type PlayStep = z.infer<typeof playStepSchema>;
