/** What COS says when it does not do what it was asked: XML with a code, a message and a RequestId. */
import { CODES } from '../domain/errors/index.ts';
import { type Channel, Failure, type Service } from '../domain/failure.ts';
import type { TransportResponse } from './transport.ts';

const ERROR_BODY_BYTES = 8 * 1024;

/** Reads an error answer to its end. Where it has no code of COS's, the status gives one. */
export async function refusalOf(response: TransportResponse): Promise<Failure> {
  const text = await errorText(response);
  const code = element(text, 'Code');
  const words = element(text, 'Message') ?? `the storage answered with status ${response.status}`;
  const requestId = element(text, 'RequestId') ?? response.header('x-cos-request-id');
  return new Failure(
    {
      service: 'cos',
      channel: code === null ? 'local' : 'error',
      code: code ?? statusCode(response.status),
      sent: 'answered',
      httpStatus: response.status,
      ...(requestId === null ? {} : { requestId }),
      ...retryAfter(response),
    },
    words,
  );
}

/** Asked again it would be refused again; 429 and 5xx may pass. */
export function isRefusal(failure: Failure): boolean {
  const status = failure.httpStatus ?? 0;
  return failure.sent === 'answered' && status >= 300 && status < 500 && status !== 429;
}

/** The same facts under a code that says what it means to the caller of this request. */
export function reworded(
  failure: Failure,
  code: string,
  message: string,
  more: { readonly service?: Service; readonly channel?: Channel; readonly field?: string } = {},
): Failure {
  const { service, sent, requestId, httpStatus, retryAfterMs } = failure;
  return new Failure(
    {
      service,
      channel: 'local',
      code,
      sent,
      ...(requestId === undefined ? {} : { requestId }),
      ...(httpStatus === undefined ? {} : { httpStatus }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...more,
    },
    message,
    { cause: failure },
  );
}

export function statusCode(status: number): string {
  if (status === 429) return CODES.HTTP_429;
  if (status >= 500) return CODES.HTTP_5XX;
  return status >= 400 ? CODES.HTTP_4XX : CODES.HTTP_3XX;
}

/** `Retry-After` in seconds or as a date, as ms from now; nothing where there is none or it is past. */
export function retryAfter(response: { header(name: string): string | null }): { retryAfterMs?: number } {
  const text = response.header('retry-after');
  if (text === null) return {};
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? { retryAfterMs: ms } : {};
}

/** The status is known already: that its text is cut short takes nothing away from it. */
async function errorText(response: TransportResponse): Promise<string> {
  try {
    return await response.text(ERROR_BODY_BYTES);
  } catch (error) {
    if (error instanceof Failure && error.code !== CODES.ABORTED) return '';
    throw error;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function element(xml: string, name: string): string | null {
  const inner = new RegExp(`<${name}>([^<]{1,1024})</${name}>`).exec(xml)?.[1];
  if (inner === undefined) return null;
  return inner.replace(/&(amp|lt|gt|quot|apos);/g, (whole, entity: string) => ENTITIES[entity] ?? whole).trim();
}
