/**
 * The actions that issue a token for a phone or page, and those that answer what became of it. `sessions.ts` keeps what lies
 * between them.
 */
import { randomBytes } from 'node:crypto';
import { ApiFailure } from './api-failure.ts';
import { decodeBase64 } from './base64.ts';
import type { Answer } from './exchange.ts';
import { ACTIONS } from './faceid-actions.ts';
import { answerFields } from './faceid-answers.ts';
import { DOCUMENT_TYPES, WEB_DOCUMENT_TYPES } from './identity-documents.ts';
import type { OutputStore } from './output-store.ts';
import type { Parameters, ParameterValue } from './parameters.ts';
import { isWhole, readPicture } from './pictures.ts';
import { answerResultOf, bareResult, type ResultTools } from './session-answers.ts';
import { FLOWS, type Flow, type Session, type SessionPlan, type Sessions } from './sessions.ts';
import type { Settings } from './settings.ts';

export interface TokenRequest {
  readonly requestId: string;
  readonly action: string;
  readonly region: string;
  readonly parameters: Parameters;
}

const RESULT_ACTIONS: readonly string[] = Object.values(FLOWS);
const MEGABYTE = 1024 * 1024;
/** Tencent documents this limit for web pages only. */
const MAX_PHOTO_BASE64_BYTES = 8 * MEGABYTE;
const MIN_PHOTO_PIXELS = 64;
const ACTION_LIST = /^(?:blink|mouth|nod|shake)(?:,(?:blink|mouth|nod|shake))?$/;
const EDITIONS: Readonly<Record<string, SessionPlan['edition']>> = {
  BASIC: 'BASIC',
  ENHANCED: 'ENHANCED',
  /** The name in older models. */
  ENHANCE: 'ENHANCED',
  PRO: 'PRO',
  PLUS: 'PLUS',
};
const ACTION_LEVELS = [2, 4];
const WEB_ACTION_LEVELS = [2, 4, 5];
const VERIFICATION_URL = 'https://intl.faceid.qq.com/reflect/?token=';

export function isStart(action: string): action is Flow {
  return Object.hasOwn(FLOWS, action);
}

export function isResultCall(action: string): boolean {
  return RESULT_ACTIONS.includes(action);
}

export interface TokenFlowsOptions {
  readonly sessions: Sessions;
  readonly outputs: OutputStore;
  readonly settings: Settings;
}

export class TokenFlows {
  readonly #options: TokenFlowsOptions;

  constructor(options: TokenFlowsOptions) {
    this.#options = options;
  }

  /** Answers an action that issues a token. */
  start({ requestId, action, region, parameters }: TokenRequest): Answer {
    const plan = readPlan(action as Flow, region, new Values(action, parameters));
    const session = this.#options.sessions.create(plan);
    return answerFields(tokenFields(session), requestId, { code: 'Success', billed: false, session: session.id });
  }

  /** Answers an action that reports a result. */
  async result({ requestId, action, region, parameters }: TokenRequest): Promise<Answer> {
    const { sessions, outputs, settings } = this.#options;
    const token = parameters[action === 'GetWebVerificationResultIntl' ? 'BizToken' : 'SdkToken'];
    const session = sessions.find(String(token));
    if (session === undefined || FLOWS[session.flow] !== action || session.region !== region)
      throw new ApiFailure('InvalidParameterValue.BizTokenIllegal', 'The token is not valid.');
    const state = sessions.stateOf(session);
    if (state === 'forgotten') throw new ApiFailure('InvalidParameterValue.BizTokenExpired', 'The token has expired.');
    const tools: ResultTools = {
      showOpen: settings.showOpenResults,
      link: (output) => ({
        Url: outputs.link(output, region, settings.mediaTtlMs),
        MD5: output.md5,
        Size: output.sizeBytes,
      }),
      base64: (output) => outputs.base64(output),
    };
    const { fields, code } = await answerResultOf(session, state, tools);
    return answerFields(fields, requestId, { code, billed: false, session: session.id });
  }
}

/** Answers a `result` fault: this code, without anything that an attempt would have left. */
export function faultyResult(action: string, code: string, requestId: string): Answer {
  return answerFields(bareResult(action, code), requestId, { code, billed: false });
}

function tokenFields(session: Session): object {
  const { flow, token } = session;
  if (flow === 'ApplyWebVerificationBizTokenIntl') {
    const url = `${VERIFICATION_URL}${token}`;
    return { VerificationUrl: url, BizToken: token, VerificationURL: url };
  }
  const serverInfo =
    flow === 'ApplySdkVerificationToken' ? { ServerParamInfo: randomBytes(96).toString('base64') } : {};
  return { SdkToken: token, ...serverInfo };
}

/** Reads values that must be in a documented range. */
class Values {
  readonly #parameters: Parameters;
  readonly #code: string;

  constructor(action: string, parameters: Parameters) {
    this.#parameters = parameters;
    this.#code = ACTIONS[action]?.invalid ?? 'InvalidParameterValue';
  }

  /** The values inside an object. */
  inside(action: string, name: string): Values {
    return new Values(action, (this.#parameters[name] ?? {}) as Parameters);
  }

  get(name: string): ParameterValue | undefined {
    return this.#parameters[name];
  }

  text(name: string): string | null {
    const value = this.#parameters[name];
    return value === undefined ? null : String(value);
  }

  oneOf<T extends string | number>(name: string, accepted: readonly T[], preset: T): T {
    const value = this.#parameters[name] ?? preset;
    if (!accepted.includes(value as T)) throw this.invalid(name);
    return value as T;
  }

  within(name: string, least: number, most: number, preset: number): number {
    const value = Number(this.#parameters[name] ?? preset);
    if (value < least || value > most) throw this.invalid(name);
    return value;
  }

  atMost(name: string, characters: number): string | null {
    const value = this.text(name);
    if (value !== null && value.length > characters) throw this.invalid(name);
    return value;
  }

  invalid(name: string): ApiFailure {
    return new ApiFailure(this.#code, `The value of ${name} is not valid.`);
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === null)
      throw new ApiFailure('MissingParameter', `The request is missing the required parameter \`${name}\`.`);
    return value;
  }
}

function readPlan(flow: Flow, region: string, values: Values): SessionPlan {
  const plan: SessionPlan = {
    flow,
    region,
    cardType: null,
    checksFace: true,
    compares: false,
    hasActions: false,
    retryLimit: 5,
    edition: 'BASIC',
    extra: null,
    redirectUrl: null,
    photoFault: null,
  };
  switch (flow) {
    case 'ApplySdkVerificationToken':
      return { ...plan, ...readSdkPlan(values) };
    case 'GetFaceIdTokenIntl':
      return { ...plan, ...readFaceIdPlan(values) };
    case 'ApplyLivenessToken':
      return { ...plan, hasActions: ACTION_LEVELS.includes(readSecureLevel(values)) };
    case 'ApplyWebVerificationBizTokenIntl':
      return { ...plan, ...readWebPlan(values) };
  }
}

function readSdkPlan(values: Values): Partial<SessionPlan> {
  const mode = values.oneOf('CheckMode', [1, 2, 3], 1);
  const level = values.within('SecurityLevel', 1, 4, 4);
  const cardType = values.oneOf('IdCardType', DOCUMENT_TYPES, 'HK');
  return {
    cardType: mode === 1 ? cardType : null,
    compares: mode !== 3,
    hasActions: readActions(values, level, ACTION_LEVELS),
    retryLimit: values.within('RetryLimit', 1, 5, 5),
    edition: readEdition(values, 'SdkVersion'),
    extra: values.atMost('Extra', 1_024),
    photoFault: mode === 2 ? readPhoto(values, 'CompareImage') : null,
  };
}

function readFaceIdPlan(values: Values): Partial<SessionPlan> {
  const compares = values.oneOf('CheckMode', ['liveness', 'compare'], 'liveness') === 'compare';
  return {
    compares,
    hasActions: readActions(values, readSecureLevel(values), ACTION_LEVELS),
    retryLimit: values.within('RetryLimit', 1, 5, 5),
    edition: readEdition(values, 'SdkVersion'),
    extra: values.text('Extra'),
    photoFault: compares ? readPhoto(values, 'Image', { code: 'FailedOperation.ImageSizeTooLarge' }) : null,
  };
}

function readWebPlan(values: Values): Partial<SessionPlan> {
  const redirectUrl = values.required('RedirectURL');
  if (!URL.canParse(redirectUrl) || !/^https?:$/.test(new URL(redirectUrl).protocol))
    throw values.invalid('RedirectURL');
  const config = values.inside('ApplyWebVerificationBizTokenIntl', 'Config');
  const mode = config.oneOf('CheckMode', [1, 2, 3, 4], 2);
  const level = config.within('SecurityLevel', 1, 5, 3);
  const cardType = config.oneOf('IDCardType', WEB_DOCUMENT_TYPES, 'HKIDCard');
  config.oneOf('AutoDowngrade', [1, 2], 1);
  config.within('LivenessTimeout', 1, 600, 45);
  return {
    cardType: mode === 1 || mode === 4 ? cardType : null,
    checksFace: mode !== 4,
    compares: mode < 3,
    hasActions: readActions(config, level, WEB_ACTION_LEVELS),
    retryLimit: config.within('LivenessRetryLimit', 1, 99, 99),
    edition: config.oneOf('Version', ['BASIC', 'PLUS'], 'BASIC'),
    extra: values.atMost('Extra', 1_000),
    redirectUrl,
    // Without a photo in this call, the page asks for one or compares with the document.
    photoFault: values.text('CompareImageBase64') === null ? null : readPhoto(values, 'CompareImageBase64'),
  };
}

function readSecureLevel(values: Values): number {
  return Number(values.oneOf('SecureLevel', ['1', '2', '3', '4'], '4'));
}

/** @returns whether the person is asked to move. */
function readActions(values: Values, level: number, levels: readonly number[]): boolean {
  const list = values.text('ActionList');
  if (list !== null && (!levels.includes(level) || !ACTION_LIST.test(list))) throw values.invalid('ActionList');
  return levels.includes(level);
}

function readEdition(values: Values, name: string): SessionPlan['edition'] {
  return EDITIONS[values.oneOf(name, Object.keys(EDITIONS), 'BASIC')] ?? 'BASIC';
}

/** @returns the code with which every comparison fails because the photo cannot be used; null if it can. */
function readPhoto(values: Values, name: string, tooLarge?: { readonly code: string }): string | null {
  const text = values.required(name);
  if (text.length > MAX_PHOTO_BASE64_BYTES)
    throw tooLarge === undefined ? values.invalid(name) : new ApiFailure(tooLarge.code, 'The image is too large.');
  const content = decodeBase64(text);
  if (content === null) throw values.invalid(name);
  const picture = readPicture(content);
  if (picture === null || !isWhole(picture, content)) return '2014';
  return Math.min(picture.width, picture.height) < MIN_PHOTO_PIXELS ? '2004' : null;
}
