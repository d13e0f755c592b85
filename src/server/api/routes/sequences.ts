/** Generates the light sequence that a phone needs before its liveness check: device data in, sequence out, in one request. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { SEQUENCE } from '../../../domain/verification/actions.ts';
import { sequenceRegion } from '../../../domain/verification/light-sequence.ts';
import { UPLOAD_WAYS } from '../../../domain/verification/request.ts';
import { callerOf } from '../auth.ts';
import { problems } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { type Api, idempotencyKey, type RouteTools, withKey } from '../route-tools.ts';
import { sequence } from '../schemas.ts';

/** Device data is Base64 text, which does not grow in JSON. The 16 KiB are for the other fields. */
const MAX_BODY_BYTES = SEQUENCE.maxBytes + 16_384;

const sequenceBody = z.strictObject({
  deviceData: z
    .string()
    .min(1, 'is empty: give the device data of the SDK')
    .describe('The device data as the SDK returned it, Base64 text.'),
  md5: z.string().optional().describe('MD5 of the device data, 32 hex digits.'),
  key: z
    .string()
    .optional()
    .describe('Your own key. For five minutes, the same key with the same data returns the same sequence.'),
  region: sequenceRegion,
  upload: z.enum(UPLOAD_WAYS),
  securityLevel: z.enum(SEQUENCE.levels).optional(),
});

export function sequenceRoutes(app: Api, { sequences, mode }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/sequences',
    bodyLimit: MAX_BODY_BYTES,
    config: { scope: 'submit' },
    schema: {
      operationId: 'sequence',
      summary: 'Generate a light sequence for the SDK on a phone, within ten seconds',
      description:
        'The key is in `key` or in `Idempotency-Key`. A sequence is not a verification, and none of its data is kept for long.',
      tags: ['verifications'],
      body: sequenceBody,
      response: { 200: sequence, ...problems(400, 401, 403, 409, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { tenant } = callerOf(request).key;
      if (sequences === null) {
        throw ourFailure('NO_CREDENTIALS', 'this process has no credentials for Tencent Cloud: configure them');
      }
      const { deviceData, key, ...rest } = withKey(request.body, idempotencyKey(request));
      const generator = await sequences();
      const { bytes, md5, requestId } = await generator.generate({
        ...rest,
        deviceData: Buffer.from(deviceData, 'latin1'),
        ...(key === undefined ? {} : { key: tenantKey(tenant, key) }),
      });
      return { mode, sequence: Buffer.from(bytes).toString('base64'), bytes: bytes.byteLength, md5, requestId };
    },
  });
}

/** Keeps equal keys of different tenants apart. */
function tenantKey(tenant: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest('base64url');
}
