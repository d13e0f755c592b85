/** Schemas of what answers say about evidence. */
import { z } from 'zod';
import { EVIDENCE_NAMES } from '../../domain/verification/evidence.ts';

const time = z.iso.datetime();
const text = z.string();

export const evidence = z.object({
  state: z
    .enum(['pending', 'copied', 'incomplete'])
    .describe('`pending`: not everything is copied yet. `incomplete`: what is missing was given up.'),
  lockedUntil: time.describe('Until then, nobody can delete the copies.'),
  objects: z.array(z.enum(EVIDENCE_NAMES)).readonly(),
  missing: z.array(z.object({ name: z.enum(EVIDENCE_NAMES), code: text })).readonly(),
});

export const erasedEvidence = z.union([
  z.object({ confirmedAt: time, by: text, versions: z.int() }),
  z.object({ lockedUntil: time, objects: z.array(text).readonly() }),
  z.literal('none'),
]);
