/**
 * Transfers bytes to and from COS by pre-signed links, without credentials, exactly as Tencent uses the same links.
 *
 * A PUT sends Content-MD5, so COS refuses bytes that were damaged in transit. A GET link does not permit HEAD (the method is
 * signed), so size and ETag are determined by a GET of a one-byte range.
 */
import { createHash } from 'node:crypto';
import { Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { LinkIo, Probe } from '../../domain/ports.ts';
import { isPermanentRefusal, recodeFailure } from '../http/answer-failures.ts';
import { withQuickRetries } from '../http/quick-retries.ts';
import { streamBody, type Transport, type TransportResponse } from '../http/transport.ts';
import { readCosFailure } from './cos-requests.ts';
import { ownerHeaders } from './object-owner.ts';

export function createLinkIo(transport: Transport): LinkIo {
  async function fetchLink(link: string, signal: AbortSignal, range?: string): Promise<TransportResponse> {
    const headers = range === undefined ? {} : { range };
    const response = await transport.request({ method: 'GET', url: link, purpose: 'link', headers, signal });
    if (response.status === 200 || response.status === 206) return response;
    throw await readCosFailure(response);
  }

  return {
    put(link, body, { sizeBytes, md5, contentType, owner, ifAbsent, lockedUntil }, signal) {
      const headers = {
        'content-length': String(sizeBytes),
        'content-md5': Buffer.from(md5, 'hex').toString('base64'),
        'content-type': contentType,
        ...(owner === undefined ? {} : ownerHeaders(owner, md5)),
        ...(lockedUntil === undefined ? {} : lockHeaders(lockedUntil)),
        ...(ifAbsent === true ? { 'x-cos-forbid-overwrite': 'true' } : {}),
      };
      return withQuickRetries(async () => {
        const response = await transport.request({
          method: 'PUT',
          url: link,
          purpose: 'link',
          headers,
          body: body(),
          signal,
        });
        if (response.status !== 200) throw await readCosFailure(response);
        await response.dump();
      }, signal);
    },

    probe(link, signal) {
      return withQuickRetries(async () => {
        const response = await recodeRefusal(fetchLink(link, signal, 'bytes=0-0'), asUnreadableLink);
        const probe = parseProbe(response);
        await response.dump();
        return probe;
      }, signal);
    },

    hash(link, signal) {
      return withQuickRetries(async () => {
        const response = await recodeRefusal(fetchLink(link, signal), asUnreadableLink);
        const md5 = createHash('md5');
        let sizeBytes = 0;
        for await (const piece of response.bytes()) {
          md5.update(piece);
          sizeBytes += piece.byteLength;
        }
        return { sizeBytes, md5: md5.digest('hex') };
      }, signal);
    },

    async get(link, signal) {
      return streamBody(() => withQuickRetries(() => recodeRefusal(fetchLink(link, signal), asMissingFrame), signal));
    },
  };
}

function lockHeaders(until: number): Readonly<Record<string, string>> {
  return {
    'x-cos-object-lock-mode': 'COMPLIANCE',
    'x-cos-object-lock-retain-until-date': new Date(until).toISOString(),
  };
}

async function recodeRefusal(
  response: Promise<TransportResponse>,
  recode: (refusal: Failure) => Failure,
): Promise<TransportResponse> {
  try {
    return await response;
  } catch (error) {
    throw error instanceof Failure && isPermanentRefusal(error) ? recode(error) : error;
  }
}

/**
 * The failure if COS refuses a GET by link. COS would refuse Tencent too, and Tencent would answer
 * `FailedOperation.DownLoadError`.
 */
function asUnreadableLink(refusal: Failure): Failure {
  const message = `the link cannot be read (${refusal.code}): Tencent could not download it either`;
  return recodeFailure(refusal, CODES.LINK_UNREADABLE, message);
}

/** Recognises refusals that are final because the frame is missing or its link has expired. Returns other failures unchanged. */
function asMissingFrame(refusal: Failure): Failure {
  if (refusal.httpStatus === 404) {
    return recodeFailure(refusal, CODES.FRAME_MISSING, 'the link leads to no object: the picture no longer exists');
  }
  const { code, message: said } = refusal;
  if (code === 'ExpiredToken' || (code === 'AccessDenied' && /^request has expired/i.test(said))) {
    const message = 'the link has expired: the picture can no longer be downloaded';
    return recodeFailure(refusal, CODES.FRAME_EXPIRED, message);
  }
  return refusal;
}

function parseProbe(response: TransportResponse): Probe {
  const total = /\/(\d+)$/.exec(response.header('content-range') ?? '')?.[1] ?? null;
  const length = response.status === 206 ? total : response.header('content-length');
  if (length === null) {
    throw localFailure(CODES.MALFORMED_REPLY, 'the storage did not report the size of the object', {
      service: 'cos',
      sent: 'answered',
      httpStatus: response.status,
    });
  }
  const etag = /^"?([0-9a-f]{32})"?$/i.exec(response.header('etag') ?? '')?.[1];
  return { sizeBytes: Number(length), etagMd5: hasOpaqueEtag(response) ? null : (etag?.toLowerCase() ?? null) };
}

/** Under SSE-KMS and SSE-C an ETag may look like an MD5 without being one. */
function hasOpaqueEtag(response: TransportResponse): boolean {
  const encryption = response.header('x-cos-server-side-encryption');
  return (
    (encryption !== null && encryption !== 'AES256') ||
    response.header('x-cos-server-side-encryption-customer-algorithm') !== null
  );
}
