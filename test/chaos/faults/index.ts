/** Every fault of the kit, the short ones first. */
import type { Fault } from '../fault.ts';
import { baseline, besidePoison } from './baseline.ts';
import { buttons, erasure, oneKey } from './producers.ts';
import { clients, everysec, failover, full, outages, redisKill, replies, wiped } from './redis.ts';
import { account, expiry, expiryLong, forged, vendor } from './vendor.ts';
import { block, eraserKill, freeze, kill, poison, rolling, sinkFull, stop } from './workers.ts';

export const FAULTS: readonly Fault[] = [
  kill,
  stop,
  block,
  freeze,
  replies,
  vendor,
  account,
  expiry,
  forged,
  redisKill,
  everysec,
  wiped,
  clients,
  full,
  oneKey,
  buttons,
  erasure,
  sinkFull,
  rolling,
  poison,
  eraserKill,
  baseline,
  besidePoison,
  expiryLong,
  failover,
  ...outages,
];
