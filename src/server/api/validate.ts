/** Validates parameters, queries and small bodies. A problem names the field, what is wrong and what to do. */
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import type { Failure } from '../../domain/errors/failure.ts';
import { describeInvalidField } from '../../domain/verification/request.ts';
import { malformed } from './problems.ts';

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const parsed = schema.safeParse(data, { reportInput: true });
    return parsed.success ? { value: parsed.data } : { error: refusal(parsed.error) };
  };

function refusal({ issues }: z.ZodError): Failure {
  const { field, problem } = describeInvalidField(issues[0]);
  return malformed(field, `${field === '' ? 'the request' : field} ${problem}`);
}

/** Validates everything but the body, for a route whose handler parses the body itself. */
export const exceptBody: FastifySchemaCompiler<unknown> = (route) =>
  route.httpPart === 'body'
    ? (value) => ({ value })
    : validatorCompiler({ ...route, schema: route.schema as z.ZodType });
