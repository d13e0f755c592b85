/** The light sequence that a phone needs before its liveness check: device data in, sequence out, in one request. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { REGIONS, SEQUENCE } from '../../domain/actions.ts';
import { UPLOAD_WAYS } from '../../domain/verification.ts';
import { callerOf } from '../auth.ts';
import { errors } from '../openapi.ts';
import { ourFailure } from '../problems.ts';
import { sequence } from '../schemas.ts';
import type { Api, RouteTools } from '../server.ts';
import { keyOf, withKey } from './submit.ts';

/** Device data is text, and JSON escapes none of it. */
const BODY_BYTES = SEQUENCE.maxBytes + 16_384;

const sequenceBody = z.strictObject({
  deviceData: z.string().min(1, 'is empty: give what the SDK gave').describe('Base64 text, as the SDK gave it.'),
  md5: z.string().optional().describe('Of the device data, 32 hex digits.'),
  key: z
    .string()
    .optional()
    .describe('Your own. For five minutes the same key with the same data gives the same sequence.'),
  region: z.enum(REGIONS),
  upload: z.enum(UPLOAD_WAYS),
  securityLevel: z.enum(SEQUENCE.levels).optional(),
});

export function sequenceRoutes(app: Api, { sequences, mode }: RouteTools): void {
  app.route({
    method: 'POST',
    url: '/sequences',
    bodyLimit: BODY_BYTES,
    config: { scope: 'submit' },
    schema: {
      operationId: 'sequence',
      summary: 'A light sequence for the phone’s SDK, within ten seconds',
      description:
        'With `Idempotency-Key`, instead of `key` in the body. It is no verification, and nothing of it is kept for long.',
      tags: ['verifications'],
      body: sequenceBody,
      response: { 200: sequence, ...errors(400, 401, 403, 409, 413, 415, 429, 503) },
    },
    handler: async (request) => {
      const { key: tenantsKey } = callerOf(request);
      if (sequences === null) throw ourFailure('NO_CREDENTIALS', 'this process has no credentials for Tencent Cloud');
      const { deviceData, key, ...asked } = withKey(request.body, keyOf(request));
      const made = await (await sequences()).generate({
        ...asked,
        deviceData: Buffer.from(deviceData, 'latin1'),
        ...(key === undefined ? {} : { key: ofTenant(tenantsKey.tenant, key) }),
      });
      const { bytes, md5, requestId } = made;
      return { mode, sequence: Buffer.from(bytes).toString('base64'), bytes: bytes.byteLength, md5, requestId };
    },
  });
}

/** The same key is another one's for each tenant. */
function ofTenant(tenant: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, key]))
    .digest('base64url');
}
