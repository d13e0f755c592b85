/** Follows one verification over server-sent events, and reconnects when the stream breaks. */
import { setTimeout as wait } from 'node:timers/promises';
import type { HistoryEntry } from '../../domain/verification/history.ts';
import type { AnswerWithHistory } from '../../domain/verification/view.ts';
import { type ApiHistoryEntry, type ApiVerification, toAnswer, toHistoryEntry } from './answers.ts';
import { readEvents, type ServerEvent } from './events.ts';
import { orNull } from './failures.ts';
import { type ApiTransport, getRequest } from './transport.ts';

/** A stream that is silent for longer counts as broken: the API sends a keep-alive comment every 15 s. */
const SILENCE_LIMIT_MS = 45_000;
const RECONNECT_MS = 1_000;

/**
 * Yields the verification now and after each change. Finishes when the verification ends, or if there is no such verification.
 * @param path the verification's path.
 * @throws the signal's reason
 */
export async function* watchVerification(
  transport: ApiTransport,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<AnswerWithHistory> {
  const history = new Map<string, HistoryEntry>();
  let lastEventId: string | null = null;
  let lastText = '';
  for (;;) {
    const silence = new AbortController();
    const request = {
      ...getRequest(`${path}/events`),
      headers: lastEventId === null ? {} : { 'last-event-id': lastEventId },
      signal: AbortSignal.any([signal, silence.signal]),
    };
    const response = await orNull(transport.requestStream(request, 'text/event-stream'));
    if (response === null || response.body === null) return;
    const timer = setTimeout(() => silence.abort(), SILENCE_LIMIT_MS);
    try {
      const events = readEvents(response.body, () => void timer.refresh());
      for await (const { id, event, data } of untilBroken(events, signal)) {
        if (event === 'end') return;
        if (event === 'history') history.set(id, toHistoryEntry(data as ApiHistoryEntry));
        if (id !== '') lastEventId = id;
        if (event !== 'verification') continue;
        const view = { ...toAnswer(data as ApiVerification), history: [...history.values()] };
        const text = JSON.stringify(view);
        if (text === lastText) continue; // the API repeats the present state after each reconnect
        lastText = text;
        yield view;
      }
    } finally {
      clearTimeout(timer);
    }
    await wait(RECONNECT_MS, undefined, { signal }).catch(() => undefined); // after an abort, the next line throws
    signal.throwIfAborted();
  }
}

/**
 * Yields events until the stream breaks, so that the caller can reconnect. Errors that the caller throws between events pass
 * through.
 */
async function* untilBroken(events: AsyncGenerator<ServerEvent>, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  try {
    for (;;) {
      const next = await events.next().catch(() => null);
      signal.throwIfAborted();
      if (next === null || next.done === true) return;
      yield next.value;
    }
  } finally {
    await events.return(undefined).catch(() => undefined); // the connection may be broken already
  }
}
