/**
 * What a request to FaceID asks, in any of the forms that Tencent Cloud's API takes: TC3 with a JSON body, TC3 with GET, and
 * the older form that has all in its fields. Past `readParameters`, no caller knows which it was.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type ApiError, ApiFault } from './api-fault.ts';
import { classicProblem } from './classic-signature.ts';
import { type Credentials, FACEID_REGIONS } from './settings.ts';
import { tc3Problem } from './tc3.ts';

const SERVICE = 'faceid';
const VERSION = '2018-03-01';

interface ActionRule {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

const COMPARE = ['ImageUrl', 'ImageMd5'];
const ACTIONS: Readonly<Record<string, ActionRule>> = {
  CreateUploadUrl: { required: ['TargetAction'], optional: [] },
  DetectReflectLivenessAndCompare: { required: ['LiveDataUrl', 'LiveDataMd5', ...COMPARE], optional: [] },
  GenerateReflectSequence: { required: ['DeviceDataUrl', 'DeviceDataMd5'], optional: ['SecurityLevel'] },
  VideoLivenessCompare: { required: ['VideoUrl', 'VideoMd5', ...COMPARE, 'LivenessType'], optional: ['ValidateData'] },
};

/** Fields of the older form that are no parameters of the action. */
const ENVELOPE = ['Action', 'Language', 'Nonce', 'Region', 'RequestClient', 'SecretId', 'Signature'].concat([
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
  /** The parameters as text, whatever they are: to look for links in. */
  readonly text: string;
  /** @throws ApiFault where they cannot be read. */
  parameters(): Record<string, unknown>;
  /** @returns what is wrong with the signature, or null. */
  problem(known: readonly Credentials[], now: number): ApiError | null;
}

export function readApiRequest(http: HttpRequest): ApiRequest {
  const isForm = http.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  const inFields =
    http.method === 'GET' ? http.url.searchParams : isForm ? new URLSearchParams(String(http.body)) : null;
  if (inFields !== null && http.headers.authorization === undefined) return classicRequest(http, inFields);
  const header = (name: string) => String(http.headers[name] ?? '');
  return {
    action: header('x-tc-action'),
    region: header('x-tc-region'),
    version: header('x-tc-version'),
    language: header('x-tc-language') || 'zh-CN',
    method: http.method,
    text: inFields === null ? http.body.toString() : textOf(inFields),
    parameters: () => (inFields === null ? objectOf(http.body) : Object.fromEntries(inFields)),
    problem: (known, now) => {
      const { method, url, headers, body } = http;
      const signed = { method, path: url.pathname, query: url.search.slice(1), headers, body };
      return tc3Problem(signed, SERVICE, known, now);
    },
  };
}

function classicRequest({ method, url }: HttpRequest, fields: URLSearchParams): ApiRequest {
  const own = new URLSearchParams([...fields].filter(([name]) => !ENVELOPE.includes(name)));
  return {
    action: fields.get('Action') ?? '',
    region: fields.get('Region') ?? '',
    version: fields.get('Version') ?? '',
    language: fields.get('Language') ?? 'zh-CN',
    method,
    text: textOf(own),
    parameters: () => Object.fromEntries(own),
    problem: (known, now) => classicProblem({ method, host: url.host, path: url.pathname, fields }, known, now),
  };
}

/** @throws ApiFault where the request asks for nothing that there is. */
export function readParameters(request: ApiRequest): Record<string, string> {
  const { action, region } = request;
  const rule = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (rule === undefined) throw new ApiFault('InvalidAction', `The request action=${action} is invalid or not found.`);
  if (request.version !== VERSION) throw new ApiFault('NoSuchVersion', 'The API version does not exist.');
  if (!['GET', 'POST'].includes(request.method))
    throw new ApiFault('UnsupportedProtocol', 'Only GET and POST are supported.');
  if (region === '') throw missing('Region');
  if (!FACEID_REGIONS.includes(region))
    throw new ApiFault('UnsupportedRegion', 'The region is not supported by this API.');
  const given = Object.entries(request.parameters()).filter(([, value]) => value !== null && value !== '');
  for (const [name, value] of given) {
    if (![...rule.required, ...rule.optional].includes(name))
      throw new ApiFault('UnknownParameter', `The parameter \`${name}\` is not recognized.`);
    if (typeof value !== 'string')
      throw new ApiFault('InvalidParameter', `The type of value of parameter \`${name}\` is not correct.`);
  }
  const parameters = Object.fromEntries(given) as Record<string, string>;
  for (const name of rule.required) if (parameters[name] === undefined) throw missing(name);
  return parameters;
}

function objectOf(body: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString() || '{}');
  } catch {
    throw new ApiFault('InvalidRequest', 'The request body is not JSON.');
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed))
    throw new ApiFault('InvalidRequest', 'The request body is no object.');
  return parsed as Record<string, unknown>;
}

function textOf(fields: URLSearchParams): string {
  return JSON.stringify(Object.fromEntries(fields));
}

function missing(name: string): ApiFault {
  return new ApiFault('MissingParameter', `The request is missing the required parameter \`${name}\`.`);
}
