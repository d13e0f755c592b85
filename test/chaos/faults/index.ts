/** Lists every fault of the chaos kit, the short ones first. */
import type { Fault } from '../fault.ts';
import { baseline, besidePoison } from './baseline.ts';
import { day } from './day.ts';
import { badMount, slowHost } from './neighbours.ts';
import { buttons, erasure, oneKey } from './producers.ts';
import { busy, clients, everysec, failover, full, outages, redisKill, replies, wiped } from './redis.ts';
import { sessions } from './sessions.ts';
import { account, cosOutage, expiry, expiryLong, forged, vendor, vendorOutage, vendorOutageLong } from './vendor.ts';
import { block, eraserKill, freeze, kill, opinions, poison, rolling, sinkFull, stop } from './workers.ts';

export const FAULTS: readonly Fault[] = [
  kill,
  opinions,
  stop,
  block,
  freeze,
  replies,
  vendor,
  vendorOutage,
  cosOutage,
  account,
  expiry,
  forged,
  sessions,
  redisKill,
  everysec,
  wiped,
  clients,
  full,
  busy,
  oneKey,
  buttons,
  erasure,
  sinkFull,
  slowHost,
  badMount,
  rolling,
  poison,
  eraserKill,
  baseline,
  besidePoison,
  expiryLong,
  day,
  vendorOutageLong,
  failover,
  ...outages,
];
