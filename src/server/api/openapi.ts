/**
 * Serves the OpenAPI 3.1 document of the API, and a page to read it. The document is generated from the schemas that validate
 * requests.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { OpenAPIV3_1 } from 'openapi-types';
import { RESOURCE_NAMES } from '../../domain/verification/actions.ts';
import type { Edge } from '../edge.ts';
import { PROBLEM_TYPE, problem } from './problems.ts';

const PROBLEM_DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'The request is not valid. `field` names the field at fault.',
  401: 'The API key is missing or not valid.',
  403: 'The API key lacks the scope, or is for the other mode.',
  404: 'It does not exist, or belongs to another tenant.',
  409: 'The request conflicts with the current state.',
  410: 'It was erased.',
  413: 'The body is too large.',
  415: 'The route does not accept this type of body.',
  416: 'The range begins after the end of the frame.',
  429: 'Too many requests with this key, or a quota of the tenant is used up. Wait as long as `Retry-After` says.',
  503: 'Redis, the audit log or a disk is unavailable, a gate is closed, or the backlog is too long. It is safe to retry.',
};

type ProblemResponses = Record<number, { description: string; content: Record<string, { schema: typeof problem }> }>;

/** The part of a route's `response` that lists its problems. */
export function problems(...statuses: readonly (keyof typeof PROBLEM_DESCRIPTIONS)[]): ProblemResponses {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: PROBLEM_DESCRIPTIONS[status] ?? '', content: { [PROBLEM_TYPE]: { schema: problem } } },
    ]),
  );
}

const transform = createJsonSchemaTransform({});
const transformObject = createJsonSchemaTransformObject({});

export async function registerOpenApi(app: FastifyInstance, { basePath }: Edge): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bestframe',
        version: '1',
        description:
          'Durable face-liveness verification with Tencent Cloud FaceID. Every failure is a problem (RFC 9457) with a code, the field at fault and what to do.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: basePath === '' ? '/' : basePath, description: 'This deployment.' }],
      tags: [
        { name: 'verifications', description: 'Submit verifications and read their results.' },
        { name: 'sessions', description: 'Let Tencent’s SDK or page check a person.' },
        { name: 'frames', description: 'Read and acknowledge BestFrames.' },
        { name: 'erasing', description: 'Erase verifications and read the receipts.' },
        { name: 'operating', description: 'Gates, webhooks, health and metrics.' },
      ],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, which the operator of the deployment creates.',
          },
        },
      },
      security: [{ key: [] }],
    },
    exposeHeadRoutes: true,
    transform,
    transformObject: (document) => completeDocument(transformObject(document) as OpenAPIV3_1.Document),
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    indexPrefix: basePath,
    staticCSP: CSP,
    uiConfig: { layout: 'BaseLayout' },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** Adds two facts that a route's schema cannot express: submitting also accepts multipart, and the key may be in a header. */
function completeDocument(document: OpenAPIV3_1.Document): OpenAPIV3_1.Document {
  const submit = document.paths?.['/v1/verifications']?.post;
  const body = submit?.requestBody;
  if (submit === undefined || body === undefined || '$ref' in body) throw new Error('no POST /v1/verifications');
  const json = body.content['application/json']?.schema;
  const file = { type: 'string', contentMediaType: 'application/octet-stream' } as const;
  body.content['multipart/form-data'] = {
    schema: {
      type: 'object',
      required: ['verification'],
      properties: {
        verification: {
          description: 'The same JSON as for application/json, without the resources that are sent as files.',
          type: 'object',
        },
        ...Object.fromEntries(RESOURCE_NAMES.map((name) => [name, file])),
      },
    },
    encoding: { verification: { contentType: 'application/json' } },
  };
  if (json === undefined || !('required' in json)) throw new Error('no schema of a verification');
  json.required = (json.required ?? []).filter((name) => name !== 'key'); // the key may be in the header instead
  submit.parameters = [
    ...(submit.parameters ?? []),
    {
      name: 'Idempotency-Key',
      in: 'header',
      description: 'The key, as an alternative to `key` in the body.',
      schema: { type: 'string', maxLength: 128 },
    },
  ];
  removeUnusedSchemas(document);
  return document;
}

/** Every schema is generated in an input and an output variant. Removes the input variants that nothing refers to. */
function removeUnusedSchemas(document: OpenAPIV3_1.Document): void {
  const schemas = document.components?.schemas ?? {};
  // Removing a schema may remove the last reference to another one.
  for (let unused = unusedInputs(document, schemas); unused.length > 0; unused = unusedInputs(document, schemas))
    for (const name of unused) delete schemas[name];
}

function unusedInputs(document: OpenAPIV3_1.Document, schemas: object): string[] {
  const references = JSON.stringify(document).matchAll(/\/schemas\/([^"/]+)"/g);
  const used = new Set([...references].map(([, name]) => name));
  return Object.keys(schemas).filter((name) => name.endsWith('Input') && !used.has(name));
}

/**
 * Swagger UI sets inline styles from its scripts. The page loads nothing from elsewhere, and its requests go only to this
 * deployment.
 */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');
