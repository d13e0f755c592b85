/** Parameters, queries and small bodies by their schemas; what is wrong is said as everywhere: the field, what is wrong, what to do. */
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { CODES } from '../domain/errors/index.ts';
import { type Failure, inputFailure } from '../domain/failure.ts';
import { wrongField } from '../domain/verification.ts';

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data) => {
    const parsed = schema.safeParse(data, { reportInput: true });
    return parsed.success ? { value: parsed.data } : { error: refusal(parsed.error) };
  };

function refusal({ issues }: z.ZodError): Failure {
  const { field, words } = wrongField(issues[0]);
  return inputFailure(CODES.MALFORMED_REQUEST, field, `${field === '' ? 'the request' : field} ${words}`);
}

/** For a route whose handler judges its body. */
export const exceptBody: FastifySchemaCompiler<unknown> = (route) =>
  route.httpPart === 'body'
    ? (value) => ({ value })
    : validatorCompiler({ ...route, schema: route.schema as z.ZodType });
