/**
 * What the emulator answers, point by point, and what was seen: where the two differ, the emulator, and with it every test,
 * is wrong about Tencent. Pure. No point ever holds a link: links are told by their shape.
 */
import { createHash } from 'node:crypto';
import type { Region } from '../domain/actions.ts';
import type { Inspected } from '../tencent/index.ts';

export interface Point {
  readonly what: string;
  readonly expected: string;
  readonly seen: string;
}

export const TARGET = 'DetectReflectLivenessAndCompare';

const LIFE_S = 7_200;
/** Clocks, whole seconds and the way of the answer. */
const LIFE_TOLERANCE_S = 10;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SHORT: Readonly<Record<Region, string>> = { 'ap-singapore': 'sg', 'ap-hongkong': 'hk', 'ap-bangkok': 'bk' };
const QUERY = [
  'q-sign-algorithm',
  'q-ak',
  'q-sign-time',
  'q-key-time',
  'q-header-list',
  'q-url-param-list',
  'q-signature',
];

export function differences(points: readonly Point[]): readonly Point[] {
  return points.filter(({ expected, seen }) => expected !== seen);
}

/** CreateUploadUrl's normal answer. @param now by the vendor's clock, ms. */
export function uploadUrlPoints(reply: NonNullable<Inspected['reply']>, now: number): Point[] {
  const { ExpiredTimestamp: expires, RequestId: requestId } = reply;
  const life = typeof expires === 'number' ? Math.round(expires - now / 1_000) : Number.NaN;
  return [
    point('its fields', 'ExpiredTimestamp, RequestId, ResourceUrl, UploadUrl', Object.keys(reply).sort().join(', ')),
    point('ExpiredTimestamp', 'whole seconds', Number.isInteger(expires) ? 'whole seconds' : kindOf(expires)),
    point(
      'life of the links',
      `${LIFE_S} s`,
      Math.abs(life - LIFE_S) <= LIFE_TOLERANCE_S ? `${LIFE_S} s` : `${life} s`,
    ),
    requestIdPoint(requestId),
  ];
}

/** Both links: where they lead, how they are written, and in what they differ. */
export function linkPoints(reply: NonNullable<Inspected['reply']>, region: Region): Point[] {
  const { UploadUrl: put, ResourceUrl: get, ExpiredTimestamp: expires } = reply;
  if (typeof put !== 'string' || typeof get !== 'string') {
    return [point('UploadUrl and ResourceUrl', 'two texts', `${kindOf(put)} and ${kindOf(get)}`)];
  }
  const until = typeof expires === 'number' ? String(expires) : '';
  return [
    ...(
      [
        ['UploadUrl', put],
        ['ResourceUrl', get],
      ] as const
    ).flatMap(([name, link]) => shapePoints(name, link, region, until)),
    point('the two links differ in', 'q-signature', differingParts(put, get)),
  ];
}

function shapePoints(name: string, link: string, region: Region, until: string): Point[] {
  const raw = /^(https?):\/\/([^/?#]+)(\/[^?#]*)\??(.*)$/.exec(link);
  const [, scheme = '', host = '', path = '', query = ''] = raw ?? [];
  const pairs = query.split('&').map((part) => part.split('=', 2) as [string, string?]);
  const field = (wanted: string) => pairs.find(([each]) => each === wanted)?.[1] ?? '(absent)';
  const [from = '', to = ''] = decoded(field('q-sign-time')).split(';');
  const encoded = /^\d+%3B\d+$/.test(field('q-sign-time'));
  return [
    point(`${name}, scheme`, 'https', scheme),
    point(
      `${name}, host`,
      `faceid-resource-${SHORT[region]}-<appid>.cos.${region}.myqcloud.com`,
      host.replace(/-\d{6,}(?=\.)/, '-<appid>'),
    ),
    point(`${name}, path`, `/faceid%2F${TARGET}%2F<appid>%2F<uuid>`, pathShape(path)),
    point(`${name}, names in the query`, QUERY.join(', '), pairs.map(([each]) => each).join(', ')),
    point(`${name}, signed headers`, 'host', field('q-header-list')),
    point(`${name}, signed parameters`, 'none', field('q-url-param-list') || 'none'),
    point(`${name}, q-sign-time`, '<from>%3B<until>', encoded ? '<from>%3B<until>' : shapeOfText(field('q-sign-time'))),
    point(`${name}, begins before it ends`, 'yes', Number(from) < Number(to) ? 'yes' : 'no'),
    point(
      `${name}, ends at`,
      'ExpiredTimestamp',
      to === until ? 'ExpiredTimestamp' : `${Number(to) - Number(until)} s off it`,
    ),
  ];
}

/** Status and ETag of a PUT or a GET of bytes. */
export function objectPoints(
  name: string,
  answer: { readonly status: number; readonly etag: string | null; readonly type?: string | null },
  content: Uint8Array,
): Point[] {
  const md5 = createHash('md5').update(content).digest('hex');
  const etag = answer.etag === `"${md5}"` ? 'the MD5, quoted' : (answer.etag ?? '(absent)');
  const type =
    answer.type === undefined ? [] : [point(`${name}, Content-Type`, 'as it was put', answer.type ?? '(absent)')];
  return [
    point(`${name}, status`, '200', String(answer.status)),
    point(`${name}, ETag`, 'the MD5, quoted', etag),
    ...type,
  ];
}

/** Detect with wrong MD5s. */
export function detectPoints({ reply, failure }: Inspected): Point[] {
  if (reply !== null) {
    return [
      point('channel', 'error', 'result'),
      point('code', 'InvalidParameterValue', String(reply.Result)),
      point('message', 'MD5 Error', String(reply.Description)),
      point('its fields', 'Error, RequestId', Object.keys(reply).sort().join(', ')),
      requestIdPoint(reply.RequestId),
    ];
  }
  return [
    point('channel', 'error', failure?.channel ?? 'none'),
    point('code', 'InvalidParameterValue', failure?.code ?? 'none'),
    point('message', 'MD5 Error', failure?.message ?? 'none'),
    requestIdPoint(failure?.requestId),
  ];
}

/** By the product's price list; there is none for this action. */
export function mayBeBilled({ reply, failure }: Inspected): boolean {
  const code = reply === null ? failure?.code : String(reply.Result);
  return code === 'Success' || code?.endsWith('.CompareLowSimilarity') === true || failure?.sent === 'maybe';
}

function point(what: string, expected: string, seen: string): Point {
  return { what, expected, seen };
}

function requestIdPoint(requestId: unknown): Point {
  const isUuid = typeof requestId === 'string' && UUID.test(requestId);
  return point('RequestId', 'a UUID', isUuid ? 'a UUID' : shapeOfText(requestId));
}

function pathShape(path: string): string {
  return path
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '<uuid>')
    .replace(/(?<=%2F|\/)\d{6,}(?=%2F|\/)/g, '<appid>');
}

function differingParts(one: string, other: string): string {
  const [left = [], right = []] = [one, other].map((link) => link.split(/[?&]/));
  const names = left.flatMap((part, index) =>
    part === right[index] ? [] : [index === 0 ? 'host or path' : (part.split('=')[0] ?? '')],
  );
  const rest = right.length > left.length ? ['the number of parameters'] : [];
  return [...names, ...rest].join(', ') || 'nothing';
}

/** Of what may be secret, only what it is made of. */
function shapeOfText(value: unknown): string {
  return typeof value === 'string'
    ? `a text like ${value.replace(/[0-9]/g, '9').replace(/[a-z]/gi, 'a').slice(0, 60)}`
    : kindOf(value);
}

function kindOf(value: unknown): string {
  return value === undefined ? '(absent)' : value === null ? 'null' : typeof value;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
