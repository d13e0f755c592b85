/** Opens the HTTP API of a rig and calls it. Every answer is validated against the OpenAPI document. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { SCOPES, type Scope } from '../../src/domain/operations/api-keys.ts';
import type { Rig } from './rig.ts';

export interface Http {
  readonly url: string;
  readonly keys: ApiKeys;
  /** The secret of a key of tenant `acme` that has every scope. */
  readonly secret: string;
  /** The secret of a key of the deployment's own tenant, for gates and metrics. */
  readonly operator: string;
  keyFor(options?: {
    tenant?: string;
    scopes?: readonly Scope[];
    mode?: 'test' | 'live';
    perSecond?: number;
  }): Promise<string>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  readonly document: OpenApi;
  close(): Promise<void>;
}

export interface CallOptions {
  /** The secret of the API key, or null to send none. */
  readonly secret?: string | null;
  readonly json?: unknown;
  readonly body?: RequestInit['body'];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body if it is JSON, else an empty object. */
  readonly json: Record<string, unknown>;
  readonly bytes: Buffer;
}

interface Operation {
  readonly operationId?: string;
  readonly responses: Readonly<Record<string, { content?: Readonly<Record<string, unknown>> }>>;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export async function openHttp(rig: Rig, settings: Record<string, string> = {}): Promise<Http> {
  // Tests send many wrong keys from one address.
  const failures = { BESTFRAME_LOGIN_FAILURES: 'pair=100000,address=100000,user=100000' };
  const api = await rig.openApi({ ...failures, ...settings });
  const keys = new ApiKeys(rig.config.redis, rig.config.prefix);
  const keyFor: Http['keyFor'] = async ({
    tenant = 'acme',
    scopes = SCOPES,
    mode = 'test',
    perSecond = 10_000,
  } = {}) => {
    if (tenant !== 'default') await rig.permit(tenant);
    return (await keys.create({ tenant, scopes, mode, perSecond, name: 'test', lifeMs: null })).secret;
  };
  const secret = await keyFor();
  const operator = await keyFor({ tenant: 'default' });
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as OpenApi;
  const conforms = conformity(document);

  return {
    url: api.url,
    keys,
    secret,
    operator,
    keyFor,
    document,
    async call(method, path, { secret: mine = secret, json, body, headers = {} } = {}) {
      const answer = await fetch(`${api.url}${path}`, {
        method,
        headers: {
          ...(mine === null ? {} : { authorization: `Bearer ${mine}` }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(json === undefined ? (body === undefined ? {} : { body }) : { body: JSON.stringify(json) }),
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      const type = answer.headers.get('content-type') ?? '';
      const isJson = /\bjson\b/.test(type) && bytes.length > 0;
      const parsed = isJson ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {};
      conforms(method, path, answer.status, type, isJson ? parsed : undefined);
      return { status: answer.status, headers: answer.headers, json: parsed, bytes };
    },
    close: () => keys.close(),
  };
}

/** Builds a multipart body from the JSON and the files. */
export function formOf(verification: unknown, files: Readonly<Record<string, Buffer>>): FormData {
  const form = new FormData();
  form.set('verification', JSON.stringify(verification));
  for (const [name, bytes] of Object.entries(files)) form.set(name, new Blob([new Uint8Array(bytes)]), name);
  return form;
}

/** @returns a check that fails if an answer's status, type or body differs from the document. */
export function conformity(document: OpenApi) {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema(document, 'api');
  const templates = Object.keys(document.paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const compiled = new Map<string, ValidateFunction>();
  return (method: string, url: string, status: number, type: string, body: unknown) => {
    const path = url.split('?')[0] ?? '';
    const template = templates.find(({ pattern }) => pattern.test(path))?.path;
    const verb = method.toLowerCase();
    const operation = template === undefined ? undefined : document.paths[template]?.[verb];
    if (template === undefined || operation === undefined) return; // the document says nothing about an unknown route
    const said = `${method} ${path} → ${status} ${type}`;
    const response = operation.responses[String(status)];
    expect(response, `${said} is not in the document`).toBeDefined();
    if (body === undefined) return;
    const kind = type.split(';')[0] ?? '';
    expect(Object.keys(response?.content ?? {}), said).toContain(kind);
    const at = ['paths', template, verb, 'responses', String(status), 'content', kind, 'schema'];
    const pointer = at.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `api#/${pointer}` });
    compiled.set(pointer, validate);
    if (!validate(body)) throw new Error(`${said} does not match the document: ${ajv.errorsText(validate.errors)}`);
  };
}
