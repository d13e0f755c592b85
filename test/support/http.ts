/** The HTTP API of a rig, and calls to it: every answer is held to the API's own description. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { expect } from 'vitest';
import { ApiKeys } from '../../src/client/api-keys.ts';
import { SCOPES, type Scope } from '../../src/domain/api-keys.ts';
import type { Rig } from './rig.ts';

export interface Http {
  readonly url: string;
  readonly keys: ApiKeys;
  /** Of a key that may do everything, of tenant `acme`. */
  readonly secret: string;
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
  /** Null: none. */
  readonly secret?: string | null;
  readonly json?: unknown;
  readonly body?: RequestInit['body'];
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed, where it is JSON. */
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
  const api = await rig.openApi(settings);
  const keys = new ApiKeys(rig.config.redis, rig.config.prefix);
  const keyFor: Http['keyFor'] = async ({ tenant = 'acme', scopes = SCOPES, mode = 'test', perSecond = 10_000 } = {}) =>
    (await keys.create({ tenant, scopes, mode, perSecond, name: 'test', lifeMs: null })).secret;
  const secret = await keyFor();
  const document = (await (await fetch(`${api.url}/openapi.json`)).json()) as OpenApi;
  const conforms = conformity(document);

  return {
    url: api.url,
    keys,
    secret,
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

/** A multipart body: the JSON, and files. */
export function formOf(verification: unknown, files: Readonly<Record<string, Buffer>>): FormData {
  const form = new FormData();
  form.set('verification', JSON.stringify(verification));
  for (const [name, bytes] of Object.entries(files)) form.set(name, new Blob([new Uint8Array(bytes)]), name);
  return form;
}

/** Fails where an answer is not as the document says: status, type and body of that route. */
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
    if (template === undefined || operation === undefined) return; // a route that there is none of
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
    if (!validate(body)) throw new Error(`${said} is not as the document says: ${ajv.errorsText(validate.errors)}`);
  };
}
