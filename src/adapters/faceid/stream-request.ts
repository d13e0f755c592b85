/**
 * Sends a call whose body carries files. Tencent's SDK takes the files as text: it then holds about five copies of them, and blocks
 * the process while it searches them for characters to escape. So such a body is streamed, and the request is signed here: TC3 signs
 * the hash of the body, which is known before.
 *
 * What must hold: as long as the last byte of the body has not left, the vendor cannot have carried out the call, and
 * `CallAgent.isIncomplete` says so. A body whose bytes differ from those that were hashed never ends (`OpenSource.stream`).
 */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CallBody } from '../../domain/verification/call-body.ts';
import type { Keys } from '../credentials/keys.ts';
import type { CallAgent } from './call-agent.ts';

export interface RequestHead {
  readonly endpoint: string;
  readonly version: string;
  readonly name: string;
  readonly region: string;
  readonly credential: Keys;
  readonly language: 'en-US';
}

const CONTENT_TYPE = 'application/json';
/** An answer with a frame has at most a few MB. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/**
 * @returns the `Response` of a normal answer, like the SDK.
 * @throws an error with `code`, `requestId` and `message` of an error answer, like the SDK; the failure of the body's stream; or any
 * other error, which `callFailure` interprets
 */
export async function streamRequest(
  head: RequestHead,
  body: CallBody,
  agent: CallAgent,
  signal: AbortSignal,
): Promise<unknown> {
  const { hostname, port } = new URL(`https://${head.endpoint}`);
  agent.isIncomplete = true;
  const request = httpsRequest({
    ...{ host: hostname, port: Number(port || 443), path: '/', method: 'POST', agent, signal },
    headers: { ...signedHeaders(head, body.sha256, hostname, Date.now()), 'content-length': body.sizeBytes },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  answered.catch(() => undefined); // the error of the pipeline comes first, and says more
  try {
    await pipeline(Readable.from(watched(body, agent), { objectMode: false }), request, { signal });
  } catch (error) {
    if (agent.response === null) throw error; // else the vendor answered before it had read everything
  }
  return readAnswer(await answered);
}

async function* watched(body: CallBody, agent: CallAgent): AsyncGenerator<Uint8Array> {
  let leftBytes = body.sizeBytes;
  for await (const piece of body.stream()) {
    leftBytes -= piece.byteLength;
    if (leftBytes <= 0) agent.isIncomplete = false;
    yield piece;
  }
}

async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    pieces.push(piece);
  }
  const { Response: answer } = JSON.parse(Buffer.concat(pieces).toString()) as {
    Response: { Error?: { Code: unknown; Message: unknown }; RequestId: unknown };
  };
  if (answer.Error === undefined) return answer;
  const { Code: code, Message: message } = answer.Error;
  throw Object.assign(new Error(String(message)), { code, requestId: answer.RequestId });
}

/** The headers of a request with a signature of version 3 (TC3-HMAC-SHA256). @param now ms since 1970 */
export function signedHeaders(
  { endpoint, version, name, region, credential, language }: RequestHead,
  bodySha256: string,
  hostname: string,
  now: number,
): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000));
  const date = new Date(now).toISOString().slice(0, 10);
  const service = endpoint.split('.', 1)[0] ?? '';
  const signed = 'content-type;host';
  const canonical = `POST\n/\n\ncontent-type:${CONTENT_TYPE}\nhost:${hostname}\n\n${signed}\n${bodySha256}`;
  const scope = `${date}/${service}/tc3_request`;
  const toSign = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
  const key = [date, service, 'tc3_request'].reduce<string | Buffer>(hmac, `TC3${credential.secretKey}`);
  const signature = hmac(key, toSign).toString('hex');
  return {
    authorization: `TC3-HMAC-SHA256 Credential=${credential.secretId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
    'content-type': CONTENT_TYPE,
    'x-tc-action': name,
    'x-tc-version': version,
    'x-tc-region': region,
    'x-tc-timestamp': timestamp,
    'x-tc-language': language,
    ...(credential.token === undefined ? {} : { 'x-tc-token': credential.token }),
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
