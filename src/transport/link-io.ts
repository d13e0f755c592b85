/**
 * Bytes to and from COS by pre-signed links, without credentials: exactly what Tencent will do with the same links.
 *
 * PUT sends Content-MD5, so that COS refuses what was damaged on its way. A GET link answers no HEAD (the method is signed):
 * a one-byte range shows size and ETag.
 */
import { createHash } from 'node:crypto';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';
import type { LinkIo, Probe } from '../domain/ports.ts';
import { isRefusal, refusalOf, reworded } from './cos-answers.ts';
import { withQuickRetries } from './retry.ts';
import { bodyOf, type Transport, type TransportResponse } from './transport.ts';

export function createLinkIo(transport: Transport): LinkIo {
  async function fetched(link: string, signal: AbortSignal, range?: string): Promise<TransportResponse> {
    const headers = range === undefined ? {} : { range };
    const response = await transport.request({ method: 'GET', url: link, purpose: 'link', headers, signal });
    if (response.status === 200 || response.status === 206) return response;
    throw await refusalOf(response);
  }

  return {
    put(link, body, { sizeBytes, md5, contentType }, signal) {
      const headers = {
        'content-length': String(sizeBytes),
        'content-md5': Buffer.from(md5, 'hex').toString('base64'),
        'content-type': contentType,
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
        if (response.status !== 200) throw await refusalOf(response);
        await response.dump();
      }, signal);
    },

    probe(link, signal) {
      return withQuickRetries(async () => {
        const response = await readable(fetched(link, signal, 'bytes=0-0'));
        const probe = probeOf(response);
        await response.dump();
        return probe;
      }, signal);
    },

    hash(link, signal) {
      return withQuickRetries(async () => {
        const response = await readable(fetched(link, signal));
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
      return bodyOf(() => withQuickRetries(() => present(fetched(link, signal)), signal));
    },
  };
}

/** Tencent would meet the same refusal, and answer `FailedOperation.DownLoadError`. */
async function readable(response: Promise<TransportResponse>): Promise<TransportResponse> {
  try {
    return await response;
  } catch (error) {
    if (!(error instanceof Failure) || !isRefusal(error)) throw error;
    throw reworded(
      error,
      CODES.LINK_UNREADABLE,
      `the link cannot be read (${error.code}): Tencent could not download it either`,
    );
  }
}

/** A frame that is gone stays gone. */
async function present(response: Promise<TransportResponse>): Promise<TransportResponse> {
  try {
    return await response;
  } catch (error) {
    if (!(error instanceof Failure) || !isRefusal(error)) throw error;
    if (error.httpStatus === 404)
      throw reworded(error, CODES.FRAME_MISSING, 'the link leads to no object: the picture is gone');
    if (error.code === 'ExpiredToken' || /expired/i.test(error.message)) {
      throw reworded(error, CODES.FRAME_EXPIRED, 'the link has expired: the picture can no longer be fetched');
    }
    throw error;
  }
}

function probeOf(response: TransportResponse): Probe {
  const total = /\/(\d+)$/.exec(response.header('content-range') ?? '')?.[1] ?? null;
  const length = response.status === 206 ? total : response.header('content-length');
  if (length === null) {
    const facts = { service: 'cos', channel: 'local', code: CODES.MALFORMED_REPLY, sent: 'answered' } as const;
    throw new Failure({ ...facts, httpStatus: response.status }, 'the storage did not tell the size of the object');
  }
  const etag = /^"?([0-9a-f]{32})"?$/i.exec(response.header('etag') ?? '')?.[1];
  return { sizeBytes: Number(length), etagMd5: encrypted(response) ? null : (etag?.toLowerCase() ?? null) };
}

/** Under SSE-KMS and SSE-C an ETag may look like an MD5 and be none. */
function encrypted(response: TransportResponse): boolean {
  const kind = response.header('x-cos-server-side-encryption');
  return (
    (kind !== null && kind !== 'AES256') || response.header('x-cos-server-side-encryption-customer-algorithm') !== null
  );
}
