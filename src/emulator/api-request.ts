/**
 * Reads a request to FaceID or STS in any form that Tencent Cloud's API accepts: TC3 with a JSON body, TC3 with GET, and the older
 * form that carries everything in its fields. Callers of `validateParameters` need not know which form was used.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type ApiError, ApiFailure } from './api-failure.ts';
import { checkClassicSignature } from './classic-signature.ts';
import { ACTIONS } from './faceid-actions.ts';
import { type Parameters, readParameters, unflatten } from './parameters.ts';
import type { Credentials } from './settings.ts';
import { checkTc3Signature } from './tc3-signature.ts';

const VERSION = '2018-03-01';
/** The largest body of a POST that is signed with TC3-HMAC-SHA256, and with the older methods. */
const MAX_BODY_BYTES = 10 * 1024 * 1024;
const MAX_CLASSIC_BODY_BYTES = 1024 * 1024;

/** Fields of the older form that are not parameters of the action. */
const ENVELOPE_FIELDS = new Set([
  'Action',
  'Language',
  'Nonce',
  'Region',
  'RequestClient',
  'SecretId',
  'Signature',
  'SignatureMethod',
  'Timestamp',
  'Token',
  'Version',
]);

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface ApiRequest {
  readonly action: string;
  readonly region: string;
  readonly version: string;
  readonly language: string;
  readonly method: string;
  /** The raw parameters as text, even if they are malformed. Searched for links. */
  readonly parameterText: string;
  /** Whether the parameters came as a form, whose values are all text. */
  readonly isForm: boolean;
  /** @throws ApiFailure if the parameters cannot be parsed. */
  parseParameters(): Record<string, unknown>;
  /** @returns why the signature is refused, or null if it is valid. */
  checkSignature(accepted: readonly Credentials[], now: number): ApiError | null;
}

/** @param service the API's name in the scope of a TC3 signature. */
export function readApiRequest(http: HttpRequest, service: 'faceid' | 'sts'): ApiRequest {
  const isForm = http.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  const fields = http.method === 'GET' ? http.url.searchParams : isForm ? new URLSearchParams(String(http.body)) : null;
  if (fields !== null && http.headers.authorization === undefined) return readClassicRequest(http, fields);
  const header = (name: string) => String(http.headers[name] ?? '');
  return {
    action: header('x-tc-action'),
    region: header('x-tc-region'),
    version: header('x-tc-version'),
    language: header('x-tc-language') || 'zh-CN',
    method: http.method,
    parameterText: fields === null ? http.body.toString() : fieldsToJson(fields),
    isForm: fields !== null,
    parseParameters: () => (fields === null ? parseJsonObject(http.body) : unflatten(fields)),
    checkSignature: (accepted, now) => {
      const { method, url, headers, body } = http;
      if (body.length > MAX_BODY_BYTES)
        return { code: 'RequestSizeLimitExceeded', message: 'The request is larger than 10 MB.' };
      const signed = { method, path: url.pathname, query: url.search.slice(1), headers, body };
      return checkTc3Signature(signed, service, accepted, now);
    },
  };
}

function readClassicRequest({ method, url, body }: HttpRequest, fields: URLSearchParams): ApiRequest {
  const parameters = new URLSearchParams([...fields].filter(([name]) => !ENVELOPE_FIELDS.has(name)));
  return {
    action: fields.get('Action') ?? '',
    region: fields.get('Region') ?? '',
    version: fields.get('Version') ?? '',
    language: fields.get('Language') ?? 'zh-CN',
    method,
    parameterText: fieldsToJson(parameters),
    isForm: true,
    parseParameters: () => unflatten(parameters),
    checkSignature: (accepted, now) => {
      if (body.length > MAX_CLASSIC_BODY_BYTES) {
        const message = 'exceeding request size limit, please use new signature method `TC3-HMAC-SHA256`.';
        return { code: 'AuthFailure.SignatureFailure', message };
      }
      return checkClassicSignature({ method, host: url.host, path: url.pathname, fields }, accepted, now);
    },
  };
}

/** @throws ApiFailure if the action, version, method, region or a parameter is not valid. */
export function validateParameters(request: ApiRequest): Parameters {
  const { action, region, isForm } = request;
  const rule = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (rule === undefined)
    throw new ApiFailure('InvalidAction', `The request action=${action} is invalid or not found.`);
  if (request.version !== VERSION) throw new ApiFailure('NoSuchVersion', 'The API version does not exist.');
  if (!['GET', 'POST'].includes(request.method))
    throw new ApiFailure('UnsupportedProtocol', 'Only GET and POST are supported.');
  if (rule.regions !== null && region === '') throw missingParameter('Region');
  if (rule.regions?.includes(region) === false)
    throw new ApiFailure('UnsupportedRegion', 'The region is not supported by this API.');
  const names = [...rule.required, ...rule.optional];
  const parameters = readParameters(request.parseParameters(), { names, types: rule.types, isText: isForm });
  for (const name of rule.required) if (parameters[name] === undefined) throw missingParameter(name);
  return parameters;
}

function parseJsonObject(body: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString() || '{}');
  } catch {
    throw new ApiFailure('InvalidRequest', 'The request body is not JSON.');
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new ApiFailure('InvalidRequest', 'The request body is no object.');
  return parsed as Record<string, unknown>;
}

function fieldsToJson(fields: URLSearchParams): string {
  return JSON.stringify(Object.fromEntries(fields));
}

function missingParameter(name: string): ApiFailure {
  return new ApiFailure('MissingParameter', `The request is missing the required parameter \`${name}\`.`);
}
