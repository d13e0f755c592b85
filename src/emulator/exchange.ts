/**
 * One call from arrival to answer: faults take part, the call is done, the log has it on disk, and only then an answer
 * leaves. The same for FaceID, COS and origins.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { CallEntry, CallLog } from './call-log.ts';
import type { CallFacts, Fault, Faults } from './faults.ts';
import type { Arrival } from './stops.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | Readable;
  /** What the log says of it. */
  readonly facts: Partial<Pick<CallEntry, 'code' | 'requestId' | 'billed' | 'bytes' | 'objects'>>;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: CallFacts;
  readonly arrival: Arrival;
  /** Does the call. */
  perform(): Promise<Answer>;
  /** The answer to an `error` or `result` fault, with nothing done. */
  refuse(fault: Extract<Fault, { kind: 'error' | 'result' }>): Answer;
}

export interface ServeOptions {
  readonly log: CallLog;
  readonly faults: Faults;
  /** Aborted when the emulator closes: ends what waits. */
  readonly closing: AbortSignal;
}

export async function serve(
  { request, response, call, arrival, perform, refuse }: Exchange,
  { log, faults, closing }: ServeOptions,
): Promise<void> {
  const taken = faults.take(call);
  const fault = taken?.fault;
  const base = {
    at: arrival.at,
    ...(arrival.waitedMs === 0 ? {} : { waitedMs: arrival.waitedMs }),
    ...call,
    ...(fault === undefined ? {} : { fault: fault.kind }),
  };
  const held = async () => {
    await log.add({ ...base, event: 'held' });
    await taken?.released;
  };

  if (fault?.kind === 'delay') await pause(fault.ms, undefined, { signal: closing });
  if (fault?.kind === 'hold' && fault.when !== 'after') await held();
  if (fault?.kind === 'drop' && fault.when === 'before') {
    await log.add({ ...base, event: 'call', code: 'dropped', billed: false, replied: false });
    request.socket.destroy();
    return;
  }
  let answer: Answer;
  try {
    answer = await answerOf(fault, perform, refuse);
  } catch (error) {
    if (!request.destroyed) throw error;
    await log.add({ ...base, event: 'call', code: 'aborted', billed: false, replied: false });
    return;
  }
  const replied = fault?.kind === 'drop' || fault?.kind === 'cut' ? { replied: false } : {};
  await log.add({ ...base, event: 'call', status: answer.status, ...answer.facts, ...replied });
  if (fault?.kind === 'hold' && fault.when === 'after') await held();
  if (fault?.kind === 'drop') {
    if (answer.body instanceof Readable) answer.body.destroy();
    request.socket.destroy();
    return;
  }
  if (fault?.kind === 'cut') return cut(answer, response);
  await send(answer, response);
}

function answerOf(
  fault: Fault | undefined,
  perform: Exchange['perform'],
  refuse: Exchange['refuse'],
): Promise<Answer> | Answer {
  if (fault?.kind === 'error' || fault?.kind === 'result') return refuse(fault);
  if (fault?.kind === 'status') {
    const wait = fault.retryAfterS === undefined ? {} : { 'retry-after': String(fault.retryAfterS) };
    const headers = { 'content-type': 'text/html', ...wait };
    return {
      status: fault.status,
      headers,
      body: Buffer.from('<html>gateway</html>'),
      facts: { code: `HTTP ${fault.status}`, billed: false },
    };
  }
  return perform();
}

async function send(answer: Answer, response: ServerResponse): Promise<void> {
  const { status, headers, body } = answer;
  if (body instanceof Readable) {
    response.writeHead(status, headers);
    // A client that goes away in the middle is its own affair.
    await pipeline(body, response).catch(() => response.destroy());
    return;
  }
  response.writeHead(status, {
    ...headers,
    ...(headers['content-length'] === undefined && status !== 204
      ? { 'content-length': String(body?.length ?? 0) }
      : {}),
  });
  response.end(body);
}

async function cut(answer: Answer, response: ServerResponse): Promise<void> {
  const whole =
    answer.body instanceof Readable ? Buffer.concat(await answer.body.toArray()) : (answer.body ?? Buffer.alloc(0));
  response.writeHead(answer.status, { ...answer.headers, 'content-length': String(whole.length) });
  response.write(whole.subarray(0, Math.floor(whole.length / 2)), () => response.destroy());
}
