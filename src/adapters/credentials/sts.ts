/**
 * Calls of Tencent's Security Token Service (STS, API version 2018-08-13). They travel through the same transport as all other
 * calls, so proxy, CA and address rules are the same. Tencent's SDK only signs, and is loaded on first use.
 *
 * What must hold: a failure says `sent: 'no'`, because the call that needs the keys has not been sent.
 */
import { z } from 'zod';
import { Failure, type FailureFacts } from '../../domain/errors/failure.ts';
import { CODES, classify } from '../../domain/errors/index.ts';
import type { Transport } from '../http/transport.ts';
import { type Keys, keysUnavailable, noCredentials, type TemporaryKeys } from './keys.ts';

const VERSION = '2018-08-13';
const MAX_ANSWER_BYTES = 64 * 1024;

export interface StsOptions {
  readonly transport: Transport;
  readonly endpoint: string;
  readonly region: string;
}

export interface RoleRequest {
  readonly arn: string;
  readonly sessionName: string;
  readonly durationS: number;
}

export interface WebIdentity {
  readonly providerId: string;
  readonly token: string;
}

const answerShape = z.object({
  Response: z.union([
    z.object({ Error: z.object({ Code: z.string(), Message: z.string() }), RequestId: z.string().optional() }),
    z.object({
      Credentials: z.object({
        Token: z.string().min(1),
        TmpSecretId: z.string().min(1),
        TmpSecretKey: z.string().min(1),
      }),
      ExpiredTime: z.number(),
    }),
  ]),
});

/** @throws Failure NO_CREDENTIALS if STS refuses, KEYS_UNAVAILABLE if it is down. */
export function assumeRole(
  options: StsOptions,
  keys: Keys,
  role: RoleRequest,
  signal: AbortSignal,
): Promise<TemporaryKeys> {
  return callSts(options, { action: 'AssumeRole', parameters: roleParameters(role), keys }, signal);
}

/** This call carries no signature: the token proves the identity. @throws Failure as `assumeRole` does. */
export function assumeRoleWithWebIdentity(
  options: StsOptions,
  { providerId, token }: WebIdentity,
  role: RoleRequest,
  signal: AbortSignal,
): Promise<TemporaryKeys> {
  const parameters = { ...roleParameters(role), ProviderId: providerId, WebIdentityToken: token };
  return callSts(options, { action: 'AssumeRoleWithWebIdentity', parameters, keys: null }, signal);
}

function roleParameters({ arn, sessionName, durationS }: RoleRequest): Record<string, unknown> {
  return { RoleArn: arn, RoleSessionName: sessionName, DurationSeconds: durationS };
}

interface StsCall {
  readonly action: 'AssumeRole' | 'AssumeRoleWithWebIdentity';
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Keys to sign with. Null: the call is not signed. */
  readonly keys: Keys | null;
}

async function callSts(options: StsOptions, call: StsCall, signal: AbortSignal): Promise<TemporaryKeys> {
  const { action } = call;
  const text = await answerText(options, call, signal);
  const { data } = answerShape.safeParse(parseJson(text));
  if (data === undefined) throw keysUnavailable(`${action} was answered in an unknown shape: Bestframe asks again`);
  const { Response: answer } = data;
  if ('Error' in answer) throw refusal(action, answer.Error.Code, answer.RequestId);
  const { Token: token, TmpSecretId: secretId, TmpSecretKey: secretKey } = answer.Credentials;
  return { secretId, secretKey, token, expiresAt: answer.ExpiredTime * 1_000 };
}

async function answerText({ transport, endpoint, region }: StsOptions, call: StsCall, signal: AbortSignal) {
  const { action, parameters, keys } = call;
  const body = Buffer.from(JSON.stringify(parameters));
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'x-tc-action': action,
    'x-tc-version': VERSION,
    'x-tc-region': region,
    'x-tc-timestamp': String(timestamp),
    'x-tc-language': 'en-US',
    authorization: keys === null ? 'SKIP' : await sign(endpoint, keys, body, timestamp),
    ...(keys?.token === undefined ? {} : { 'x-tc-token': keys.token }),
  };
  async function* once() {
    yield body;
  }
  try {
    const url = `https://${endpoint}/`;
    const response = await transport.request({ method: 'POST', url, purpose: 'link', headers, body: once(), signal });
    const text = await response.text(MAX_ANSWER_BYTES);
    if (response.status === 200) return text;
    throw keysUnavailable(`${action} was answered with status ${response.status}: Bestframe asks again`);
  } catch (error) {
    if (!(error instanceof Failure) || error.code === CODES.KEYS_UNAVAILABLE) throw error;
    throw keysUnavailable(
      `${action} could not be called (${error.code}: ${error.message}): Bestframe asks again`,
      error,
    );
  }
}

async function sign(endpoint: string, { secretId, secretKey }: Keys, payload: Buffer, timestamp: number) {
  const { default: sdk } = await import('tencentcloud-sdk-nodejs/tencentcloud/common/sign.js');
  // Node puts the exports of this CommonJS module into `default`; some loaders unwrap them further.
  const signer = ('default' in sdk ? sdk.default : sdk) as typeof sdk.default;
  return signer.sign3({
    method: 'POST',
    url: `https://${endpoint}/`,
    payload,
    timestamp,
    service: 'sts',
    secretId,
    secretKey,
    multipart: false,
    boundary: '',
    headers: { 'Content-Type': 'application/json' },
  });
}

/** Codes of STS itself: trouble inside STS, and its rate limit. */
const STS_TROUBLE = /^(?:InternalError(?:\.(?!IllegalRole).*)?|InvalidParameter\.OverLimit)$/;

/** The vendor's message is left out: it may name accounts and roles. */
function refusal(action: string, code: string, requestId: string | undefined): Failure {
  const facts: FailureFacts = { service: 'faceid', channel: 'error', code, sent: 'answered' };
  const { class: kind } = classify(facts);
  const ticket = requestId === undefined ? '' : `, RequestId ${requestId}`;
  if (kind === 'transient' || kind === 'throttled' || STS_TROUBLE.test(code))
    return keysUnavailable(`${action} is in trouble (${code}${ticket}): Bestframe asks again`);
  const cure =
    action === 'AssumeRole'
      ? 'check BESTFRAME_ROLE_ARN, the role’s trust policy, and that the keys may call sts:AssumeRole'
      : 'check TKE_ROLE_ARN, the role’s trust policy, and the identity provider';
  return noCredentials(`${action} was refused (${code}${ticket}): ${cure}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // The parser's message quotes the text, which may contain keys.
  }
}
