/**
 * What happened to a verification, an entry an event, newest last, bounded. No link, path or name: codes, times, the vendor's
 * RequestIds and what it was given (`sent.ts`), which its support asks for.
 */
import type { Service } from './failure.ts';
import { packRequestId, unpackRequestId } from './request-ids.ts';
import { type PackedSent, packSent, type Sent, unpackSent } from './sent.ts';
import type { StageName } from './states.ts';

export type HistoryEvent =
  | 'done'
  | 'retry'
  | 'rewind'
  | 'error'
  | 'unsent'
  | 'unknown'
  | 'cancel'
  | 'ended'
  | 'late'
  | 'held'
  | 'resolved'
  | 'adopted'
  | 'frame deleted'
  | 'legal hold'
  | 'legal hold lifted';

export interface HistoryEntry {
  /** ms since 1970, by the worker's clock. */
  readonly at: number;
  readonly event: HistoryEvent;
  readonly stage?: StageName;
  readonly code?: string;
  readonly requestId?: string;
  /** Who gave the RequestId, of a stage that calls more than one. */
  readonly service?: Service;
  readonly billed?: boolean;
  /** How long the attempt took. */
  readonly ms?: number;
  /** Who, and why: of what a person did. */
  readonly by?: string;
  readonly why?: string;
  /** Of an upload that is done: what the vendor is given from now on. */
  readonly sent?: Sent;
}

/** One letter a field: this is written four times or more for each verification, and kept. */
interface Packed {
  t: number;
  e: HistoryEvent;
  s?: StageName;
  c?: string;
  r?: string;
  b?: 1;
  m?: number;
  p?: string;
  w?: string;
  v?: Service;
  o?: PackedSent;
}

export function packHistory(entry: HistoryEntry): string {
  const packed: Packed = { t: entry.at, e: entry.event };
  if (entry.stage !== undefined) packed.s = entry.stage;
  if (entry.code !== undefined) packed.c = entry.code;
  if (entry.requestId !== undefined) packed.r = packRequestId(entry.requestId);
  if (entry.billed === true) packed.b = 1;
  if (entry.ms !== undefined) packed.m = Math.round(entry.ms);
  if (entry.by !== undefined) packed.p = entry.by;
  if (entry.why !== undefined) packed.w = entry.why;
  if (entry.service !== undefined) packed.v = entry.service;
  if (entry.sent !== undefined) packed.o = packSent(entry.sent);
  return JSON.stringify(packed);
}

export function unpackHistory(text: string): HistoryEntry {
  const packed = JSON.parse(text) as Packed;
  return {
    at: packed.t,
    event: packed.e,
    ...(packed.s === undefined ? {} : { stage: packed.s }),
    ...(packed.c === undefined ? {} : { code: packed.c }),
    ...(packed.r === undefined ? {} : { requestId: unpackRequestId(packed.r) }),
    ...(packed.b === undefined ? {} : { billed: true }),
    ...(packed.m === undefined ? {} : { ms: packed.m }),
    ...(packed.p === undefined ? {} : { by: packed.p }),
    ...(packed.w === undefined ? {} : { why: packed.w }),
    ...(packed.v === undefined ? {} : { service: packed.v }),
    ...(packed.o === undefined ? {} : { sent: unpackSent(packed.o) }),
  };
}
