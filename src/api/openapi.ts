/** The API's own description, OpenAPI 3.1, made from the schemas that requests are judged by; and a page to read it on. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { OpenAPIV3_1 } from 'openapi-types';
import { PROBLEM_TYPE, problem } from './problems.ts';
import { FILE_PARTS } from './schemas.ts';

const WHEN: Readonly<Record<number, string>> = {
  400: 'The request is not valid; the field is named.',
  401: 'No API key, or none that is valid.',
  403: 'The API key does not allow this, or is for the other mode.',
  404: 'There is none, or it is not yours.',
  409: 'It stands against what is there.',
  410: 'It was erased.',
  413: 'Too large.',
  415: 'This kind of body is not taken here.',
  416: 'The range begins behind the end.',
  429: 'Too many requests with this key; `Retry-After` says when.',
  503: 'Redis, the audit log or a disk is away, a gate is closed, or too much waits. Trying again is safe.',
};

type Errors = Record<number, { description: string; content: Record<string, { schema: typeof problem }> }>;

/** Of a route's `response`: the problems that it may answer with. */
export function errors(...statuses: readonly (keyof typeof WHEN)[]): Errors {
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: WHEN[status] ?? '', content: { [PROBLEM_TYPE]: { schema: problem } } },
    ]),
  );
}

const transform = createJsonSchemaTransform({});
const transformObject = createJsonSchemaTransformObject({});

export async function registerOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bestframe',
        version: '1',
        description:
          'Durable face-liveness verification with Tencent Cloud FaceID. Every failure is a problem (RFC 9457) with a code, the field and what to do.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'This deployment.' }],
      tags: [
        { name: 'verifications', description: 'Sending them and looking at them.' },
        { name: 'frames', description: 'The pictures.' },
        { name: 'erasing', description: 'Erasing, and its receipts.' },
        { name: 'operating', description: 'Gates, health, metrics.' },
      ],
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: '`bestframe keys create`' } },
      },
      security: [{ key: [] }],
    },
    exposeHeadRoutes: true,
    transform,
    transformObject: (document) => completed(transformObject(document) as OpenAPIV3_1.Document),
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: CSP, uiConfig: { layout: 'BaseLayout' } });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** What a route's schema cannot say: that POST takes files too, and the headers. */
function completed(document: OpenAPIV3_1.Document): OpenAPIV3_1.Document {
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
        verification: { description: 'As application/json; without the resources that are files.', type: 'object' },
        ...Object.fromEntries(FILE_PARTS.map((name) => [name, file])),
      },
    },
    encoding: { verification: { contentType: 'application/json' } },
  };
  if (json === undefined || !('required' in json)) throw new Error('no schema of a verification');
  json.required = (json.required ?? []).filter((name) => name !== 'key'); // it may be in the header
  submit.parameters = [
    ...(submit.parameters ?? []),
    {
      name: 'Idempotency-Key',
      in: 'header',
      description: 'The key, instead of `key` in the body.',
      schema: { type: 'string', maxLength: 128 },
    },
  ];
  prune(document);
  return document;
}

/** Each schema is made for what comes in and for what goes out; the one that nobody refers to goes. */
function prune(document: OpenAPIV3_1.Document): void {
  const schemas = document.components?.schemas ?? {};
  const unused = (name: string) => name.endsWith('Input') && !JSON.stringify(document).includes(`/schemas/${name}"`);
  for (let names = Object.keys(schemas).filter(unused); names.length > 0; names = Object.keys(schemas).filter(unused)) {
    for (const name of names) delete schemas[name]; // and with it, perhaps, the last that referred to another
  }
}

/** Swagger UI sets styles from its scripts; nothing is loaded from elsewhere, and requests go to this deployment alone. */
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
