import { CHECK_NAMES, DEFAULT_ACTION, isUploaded } from '../../domain/verification/actions.ts';

/** The fields of a verification, as text from options or CSV columns. Empty fields count as missing. */
export interface RequestFields {
  key?: string;
  liveData?: string;
  video?: string;
  image?: string;
  action?: string;
  liveness?: string;
  region?: string;
  upload?: string;
  lane?: string;
  validateData?: string;
  threshold?: string;
  deadline?: string;
  webhook?: string;
  subject?: string;
  purpose?: string;
  consentRef?: string;
  consentVersion?: string;
  /** ISO 8601. */
  consentAt?: string;
  /** `none`, `file`, `file:name.jpg` or `cos:region/bucket/key`. */
  frame?: string;
  /** In a CSV column: `true` or `false`. */
  secondOpinion?: string | boolean;
  metadata?: Readonly<Record<string, string>>;
}

export interface RequestDefaults {
  readonly region: string;
  readonly upload: string;
}

/** Builds a request without validating it: the request schema reports missing and wrong fields. */
export function buildRequest(fields: RequestFields, defaults: RequestDefaults): Record<string, unknown> {
  const { key, liveData, video, image, action, lane, deadline, webhook, subject, purpose } = fields;
  const { threshold, frame, metadata } = fields;
  const liveness = given({ type: fields.liveness, validateData: fields.validateData });
  const consent = given({ ref: fields.consentRef, version: fields.consentVersion, at: fields.consentAt });
  const sources = Object.entries(given({ liveData, video, image }));
  const check = CHECK_NAMES.find((name) => name === action) ?? DEFAULT_ACTION;
  const upload = fields.upload || (isUploaded(check) ? defaults.upload : '');
  return {
    key,
    region: fields.region || defaults.region,
    resources: Object.fromEntries(sources.map(([name, text]) => [name, parseSource(text)])),
    ...given({ upload, action, lane, deadline, webhook, subject, purpose }),
    ...(isEmpty(liveness) ? {} : { liveness }),
    ...(isEmpty(consent) ? {} : { consent }),
    // Spreadsheets write a decimal comma in many countries.
    ...(threshold ? { similarityThreshold: Number(threshold.replace(/^(\d+),(\d+)$/, '$1.$2')) } : {}),
    ...(frame ? { frame: parseFrame(frame) } : {}),
    ...(fields.secondOpinion ? { secondOpinion: parseBoolean(fields.secondOpinion) } : {}),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).flatMap(([name, text]) => (text ? [[name, text]] : [])));
}

/** `https://…` or `cos:region/bucket/key`; anything else is the path of a file. */
function parseSource(text: string): Record<string, string> {
  if (/^https?:\/\//i.test(text)) return { from: 'https', url: text };
  const place = parseCosPlace(text);
  return place === null ? { from: 'file', path: text } : { from: 'cos', ...place };
}

/** Does not check the kind. The request schema refuses an unknown kind, and the message lists the valid ones. */
function parseFrame(text: string): Record<string, string> {
  const place = parseCosPlace(text);
  if (place !== null) return { to: 'cos', ...place };
  const [, name] = /^file:(.+)$/s.exec(text) ?? [];
  return name === undefined ? { to: text } : { to: 'file', name };
}

/** Leaves anything else as it is, so that the request schema refuses it. */
function parseBoolean(given: string | boolean): string | boolean {
  return given === 'true' || (given === 'false' ? false : given);
}

function parseCosPlace(text: string) {
  const [, region, bucket = '', key = ''] = /^cos:([^/]+)\/([^/]+)\/(.+)$/s.exec(text) ?? [];
  return region === undefined ? null : { region, bucket, key };
}

function isEmpty(object: object): boolean {
  return Object.keys(object).length === 0;
}
