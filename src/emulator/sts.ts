/**
 * STS: AssumeRole, AssumeRoleWithWebIdentity, GetFederationToken. Written from Tencent's public API pages (product 1150).
 *
 * Every well-formed role exists, and every identity token is believed. The form of a policy is checked, but the policy is not
 * applied: issued keys have every permission.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ApiError, ApiFailure } from './api-failure.ts';
import { type ApiRequest, readApiRequest } from './api-request.ts';
import { percentDecode } from './cos-signature.ts';
import type { Answer, Exchange } from './exchange.ts';
import { answerApiError, answerFields } from './faceid-answers.ts';
import type { KeyRegistry } from './key-registry.ts';
import type { Settings } from './settings.ts';
import type { Arrival } from './stall-detector.ts';

export const STS_HOST = /^sts(?:\.intl|\.(?:ap|na|eu|sa)-[a-z]+)?\.tencentcloudapi\.com$/;

const VERSION = '2018-08-13';
const ROLE_ARN = /^qcs::cam::uin\/\d+:(?:role|roleName)\/[\w+=,.@/-]+$/;
const SESSION_NAME = /^[\w+=,.@-]{2,128}$/;
const CALLER_NAME = /^[A-Za-z][\w-]*$/;

interface StsRule {
  readonly mandatory: readonly string[];
  readonly optional: readonly string[];
  readonly defaultS: number;
  readonly maxS: number;
}

export const STS_ACTIONS: Readonly<Record<string, StsRule>> = {
  AssumeRole: {
    mandatory: ['RoleArn', 'RoleSessionName'],
    optional: ['Policy', 'ExternalId', 'SourceIdentity'],
    defaultS: 7_200,
    maxS: 43_200,
  },
  AssumeRoleWithWebIdentity: {
    mandatory: ['ProviderId', 'WebIdentityToken', 'RoleArn', 'RoleSessionName'],
    optional: [],
    defaultS: 7_200,
    maxS: 43_200,
  },
  GetFederationToken: { mandatory: ['Name', 'Policy'], optional: [], defaultS: 1_800, maxS: 129_600 },
};

export interface StsOptions {
  readonly keys: KeyRegistry;
  readonly settings: Settings;
  /** The vendor's clock. */
  now(): number;
}

export class Sts {
  readonly #options: StsOptions;

  constructor(options: StsOptions) {
    this.#options = options;
  }

  async exchange(request: IncomingMessage, response: ServerResponse, url: URL, arrival: Arrival): Promise<Exchange> {
    const body = Buffer.concat(await request.toArray());
    const { method = '', headers } = request;
    const apiRequest = readApiRequest({ method, url, headers, body }, 'sts');
    const { action, region } = apiRequest;
    return {
      request,
      response,
      call: { service: 'sts', action, region },
      arrival,
      perform: async () => this.#perform(apiRequest),
      refuse: (fault) => {
        const message = fault.kind === 'error' ? fault.message : undefined;
        return refuse({ code: fault.code, message: message ?? fault.code });
      },
    };
  }

  #perform(request: ApiRequest): Answer {
    const { keys, settings, now } = this.#options;
    try {
      // The web identity's token takes the place of a signature.
      const error = request.action === 'AssumeRoleWithWebIdentity' ? null : request.checkSignature(keys.account, now());
      if (error !== null) return refuse(error);
      const lifeS = readDurationS(request);
      const lifeMs = Math.min(lifeS * 1_000, settings.keyTtlMs ?? Number.POSITIVE_INFINITY);
      const issued = keys.issue(now() + lifeMs, now());
      const fields = {
        Credentials: { Token: issued.token, TmpSecretId: issued.secretId, TmpSecretKey: issued.secretKey },
        ExpiredTime: issued.expiresAt / 1_000,
        Expiration: new Date(issued.expiresAt).toISOString().replace('.000', ''),
      };
      return answerFields(fields, randomUUID(), { code: 'Success', billed: false });
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      return refuse(error.apiError);
    }
  }
}

function refuse(error: ApiError): Answer {
  return answerApiError(error, randomUUID(), () => false);
}

/** Validates the request. @returns how long the requested keys are to live. @throws ApiFailure */
function readDurationS(request: ApiRequest): number {
  const { action } = request;
  const rule = Object.hasOwn(STS_ACTIONS, action) ? STS_ACTIONS[action] : undefined;
  if (rule === undefined)
    throw new ApiFailure('InvalidAction', `The request action=${action} is invalid or not found.`);
  if (request.version !== VERSION) throw new ApiFailure('NoSuchVersion', 'The API version does not exist.');
  if (request.region === '') throw missing('Region');
  const given = request.parseParameters();
  for (const name of Object.keys(given)) {
    if (![...rule.mandatory, ...rule.optional, 'DurationSeconds'].includes(name))
      throw new ApiFailure('UnknownParameter', `The parameter \`${name}\` is not recognized.`);
  }
  for (const name of rule.mandatory) if (given[name] === undefined || given[name] === '') throw missing(name);
  checkForm(given);
  const durationS = Number(given.DurationSeconds ?? rule.defaultS);
  if (!Number.isInteger(durationS) || durationS <= 0)
    throw new ApiFailure('InvalidParameter.ParamError', 'The parameter DurationSeconds is not valid.');
  if (durationS > rule.maxS)
    throw new ApiFailure('InvalidParameter.OverTimeError', 'The expiration time exceeds the threshold.');
  return durationS;
}

const FORMS: Readonly<Record<string, RegExp>> = { RoleArn: ROLE_ARN, RoleSessionName: SESSION_NAME, Name: CALLER_NAME };

function checkForm(given: Readonly<Record<string, unknown>>): void {
  for (const [name, form] of Object.entries(FORMS)) {
    if (given[name] !== undefined && !form.test(String(given[name])))
      throw new ApiFailure('InvalidParameter.ParamError', `The parameter ${name} is not valid.`);
  }
  if (given.Policy !== undefined && !isPolicy(String(given.Policy)))
    throw new ApiFailure('InvalidParameter.StrategyFormatError', 'The policy syntax is not valid.');
}

function isPolicy(text: string): boolean {
  try {
    const policy: unknown = JSON.parse(percentDecode(text) ?? '');
    return policy !== null && typeof policy === 'object' && 'version' in policy && 'statement' in policy;
  } catch {
    return false;
  }
}

function missing(name: string): ApiFailure {
  return new ApiFailure('MissingParameter', `The request is missing the required parameter \`${name}\`.`);
}
