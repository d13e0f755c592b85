/**
 * Carries one call from arrival to answer. FaceID, COS and origins share this path.
 *
 * What must hold:
 * - The log entry of a call is on disk before its answer leaves.
 * - If a fault refuses a call, the call is not performed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallEntry, CallLog } from './call-log.ts';
import { changeShape } from './change-shape.ts';
import type { CallFacts, Fault, Faults } from './faults.ts';
import type { Arrival } from './stall-detector.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | Readable;
  /** Fields of the call's log entry. */
  readonly facts: Partial<Pick<CallEntry, 'code' | 'requestId' | 'billed' | 'bytes' | 'objects' | 'session'>>;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: CallFacts;
  readonly arrival: Arrival;
  perform(): Promise<Answer>;
  /** Builds the answer to an `error` or `result` fault; the call is not performed. */
  refuse(fault: Extract<Fault, { kind: 'error' | 'result' }>): Answer;
}

export interface ServeOptions {
  readonly log: CallLog;
  readonly faults: Faults;
  /** Aborted when the emulator closes. Ends all waits. */
  readonly closing: AbortSignal;
}

export async function serve(exchange: Exchange, { log, faults, closing }: ServeOptions): Promise<void> {
  const { request, response, call, arrival } = exchange;
  const { era } = log;
  const claimed = faults.claim(call);
  const fault = claimed?.fault;
  const entry = {
    at: arrival.at,
    ...(arrival.waitedMs === 0 ? {} : { waitedMs: arrival.waitedMs }),
    ...call,
    ...(fault === undefined ? {} : { fault: fault.kind }),
  };
  const logUnanswered = (facts: { code: string }) =>
    log.add({ ...entry, event: 'call', ...facts, billed: false, replied: false }, era);
  const hold = async () => {
    await log.add({ ...entry, event: 'held' }, era);
    await claimed?.released;
  };

  if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { signal: closing });
  if (fault?.kind === 'hold' && fault.when !== 'after') await hold();
  if (fault?.kind === 'drop' && fault.when === 'before') {
    await logUnanswered({ code: 'dropped' });
    request.socket.destroy();
    return;
  }
  let answer: Answer;
  try {
    answer = await answerCall(exchange, fault);
  } catch (error) {
    if (!request.destroyed) throw error;
    await logUnanswered({ code: 'aborted' });
    return;
  }
  const replied = fault?.kind === 'drop' || fault?.kind === 'cut' ? { replied: false } : {};
  await log.add({ ...entry, event: 'call', status: answer.status, ...answer.facts, ...replied }, era);
  if (fault?.kind === 'hold' && fault.when === 'after') await hold();
  if (fault?.kind === 'drop') {
    if (answer.body instanceof Readable) answer.body.destroy();
    request.socket.destroy();
    return;
  }
  if (fault?.kind === 'cut') return sendHalf(answer, response);
  await send(answer, response);
}

async function answerCall(exchange: Exchange, fault: Fault | undefined): Promise<Answer> {
  if (fault?.kind === 'error' || fault?.kind === 'result') return exchange.refuse(fault);
  if (fault?.kind === 'status') {
    const retryAfter = fault.retryAfterS === undefined ? {} : { 'retry-after': String(fault.retryAfterS) };
    return {
      status: fault.status,
      headers: { 'content-type': 'text/html', ...retryAfter },
      body: Buffer.from('<html>gateway</html>'),
      facts: { code: `HTTP ${fault.status}`, billed: false },
    };
  }
  const answer = await exchange.perform();
  return fault?.kind === 'shape' ? { ...answer, body: changeShape(String(answer.body), fault) } : answer;
}

export async function send({ status, headers, body }: Answer, response: ServerResponse): Promise<void> {
  if (body instanceof Readable) {
    response.writeHead(status, headers);
    // A client that disconnects mid-answer is not an error of the emulator.
    await pipeline(body, response).catch(() => response.destroy());
    body.destroy(); // If the client has gone before, `pipeline` of Node 24 leaves the body, and so its file, open.
    return;
  }
  const hasLength = Object.keys(headers).some((name) => name.toLowerCase() === 'content-length');
  const length = { 'Content-Length': String(body?.length ?? 0) };
  response.writeHead(status, { ...headers, ...(hasLength || status === 204 || status === 304 ? {} : length) });
  response.end(body);
}

async function sendHalf({ status, headers, body }: Answer, response: ServerResponse): Promise<void> {
  const whole = body instanceof Readable ? Buffer.concat(await body.toArray()) : (body ?? Buffer.alloc(0));
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'content-length');
  response.writeHead(status, { ...Object.fromEntries(others), 'Content-Length': String(whole.length) });
  response.write(whole.subarray(0, Math.floor(whole.length / 2)), () => response.destroy());
}
