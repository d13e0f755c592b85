/** The requests of a day, and the backend that sends them. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BestframeClient } from '../../src/client/redis/client.ts';
import { Failure } from '../../src/domain/errors/failure.ts';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { cardText } from '../../src/emulator/cards.ts';
import type { Accepted, Payload } from '../chaos/evidence.ts';
import type { Random } from '../chaos/random.ts';
import { openClient, run, type World } from './processes.ts';
import { REGION } from './vendor.ts';
import { DAY_STARTS, newOwner } from './virtual-time.ts';

export const ENDPOINT = 'shop';
/** The host of sources that stalls for some minutes of the day. Only one caller uses it. */
export const SLOW_HOST = 'photos.example.com';
/** Careless callers send what can never succeed. */
export type Caller = 'careful' | 'sends Base64' | 'names a missing file' | 'has a slow host';

export interface Planned {
  readonly at: number;
  readonly request: VerificationRequest;
  readonly facts: Omit<Accepted, 'id' | 'status' | 'at'>;
  /** How often the backend sends the same request. */
  readonly times: number;
  /** What somebody does with it later, and when, ms after the first answer. */
  readonly act: { readonly what: 'cancel' | 'erase'; readonly afterMs: number } | null;
}

const CARDS = [...Array<string>(14).fill('match'), ...['lowSimilarity', 'spoof', 'badLight', 'notLive', 'engineFault']];
/** A code that is in no table: the verification is held for an operator. */
export const UNDOCUMENTED = 'FailedOperation.SomethingNobodyDocumented';
/** Share of the requests that come in batches: many at once, as an import sends them. */
const IN_BATCHES = 0.1;
const BATCH = 100;

export function planLoad(world: World, random: Random, verifications: number, hours: number): Planned[] {
  const dayMs = hours * 3_600_000;
  const batches = Math.max(1, Math.round((verifications * IN_BATCHES) / BATCH));
  const batchAt = Array.from({ length: batches }, () => random.next() * dayMs);
  const times = Array.from({ length: verifications }, (_, n) => {
    if (random.chance(IN_BATCHES)) return batchAt[n % batches] ?? 0;
    // Half of the day's requests come in its middle third.
    return random.chance(0.5) ? random.next() * dayMs : dayMs * (1 / 3 + random.next() / 3);
  }).sort((a, b) => a - b);
  return times.map((at, n) => planOne(world, random, n, DAY_STARTS + Math.round(at), batchAt.includes(at)));
}

function planOne({ inputs }: World, random: Random, n: number, at: number, inBatch: boolean): Planned {
  const key = `canary-key-${n}`;
  const upload = random.chance(0.7) ? 'own-bucket' : 'create-upload-url';
  const lane = inBatch || random.chance(0.35) ? 'batch' : 'interactive';
  const card = random.chance(0.005) ? UNDOCUMENTED : random.pick(CARDS);
  const isSlow = random.chance(0.02);
  const caller: Caller = isSlow
    ? 'has a slow host'
    : random.chance(0.01)
      ? 'sends Base64'
      : random.chance(0.01)
        ? 'names a missing file'
        : 'careful';
  const text = Buffer.from(`${cardText({ card, nonce: key })}${'live '.repeat(8)}`);
  const live = caller === 'sends Base64' ? Buffer.from(text.toString('base64')) : text;
  const photo = Buffer.from(`photo of ${key}`);
  const publish = (name: string, bytes: Buffer) => {
    const path = isSlow ? `https://${SLOW_HOST}/${name}` : `/inputs/${name}`;
    if (caller !== 'names a missing file') inputs.set(path, bytes);
    return isSlow ? { from: 'https' as const, url: path } : { from: 'file' as const, path };
  };
  const hasWebhook = random.chance(0.25);
  const request: VerificationRequest = {
    ...{ key, region: REGION, upload, lane, metadata: { note: `canary-meta-${n}` } },
    resources: { liveData: publish(`${n}-live.gz`, live), image: publish(`${n}-photo.jpg`, photo) },
    ...(hasWebhook ? { webhook: ENDPOINT } : {}),
    ...(random.chance(0.1) ? { frame: { to: 'none' as const } } : {}),
  };
  const facts = {
    key,
    upload,
    lane,
    card,
    caller,
    hasWebhook,
    liveData: payloadOf(live),
    image: payloadOf(photo),
  } as const;
  return { at, request, facts, times: random.chance(0.02) ? 2 : 1, act: planAct(random) };
}

function planAct(random: Random): Planned['act'] {
  if (random.chance(0.006)) return { what: 'cancel', afterMs: random.next() * 6_000 };
  if (random.chance(0.004)) return { what: 'erase', afterMs: random.next() * 20_000 };
  return null;
}

/** What the backend knows. */
export interface Sent {
  readonly accepted: Accepted[];
  readonly erased: Set<string>;
  /** Requests that were refused for good, by code. */
  readonly refused: Map<string, number>;
  /** Requests without an answer yet. */
  left: number;
}

/** A backend that sends each request at its time, and repeats it until it is answered. */
export function startBackend(world: World, plan: readonly Planned[]): Sent {
  const sent: Sent = { accepted: [], erased: new Set(), refused: new Map(), left: plan.length };
  const owner = newOwner('backend');
  let client: BestframeClient | null = null;
  run(world, owner, async () => {
    client = openClient(world, owner);
    await client.webhooks.add({ name: ENDPOINT, url: 'https://shop.example.com/', secret: `whsec_${'A'.repeat(43)}=` });
  });
  for (const planned of plan) {
    world.time.at(planned.at + 1_000, owner, () => {
      if (client === null) throw new Error('the backend has no client yet');
      const task = client;
      run(world, owner, () => send(world, task, planned, sent));
    });
  }
  return sent;
}

async function send(world: World, client: BestframeClient, planned: Planned, sent: Sent): Promise<void> {
  const { wire, time } = world;
  let id: string | null = null;
  for (let n = 0; n < planned.times; n += 1) {
    const answer = await untilAnswered(client, planned.request);
    if (answer instanceof Failure) {
      sent.refused.set(answer.code, (sent.refused.get(answer.code) ?? 0) + 1);
      break;
    }
    id = answer.id;
    wire.log(time.current, `accepted ${id} ${answer.status}`);
    sent.accepted.push({ ...planned.facts, id, status: answer.status, at: Math.floor(time.now) });
  }
  sent.left -= 1;
  if (id === null || planned.act === null) return;
  await sleep(planned.act.afterMs);
  const { what } = planned.act;
  const known = id;
  if (what === 'cancel') await untilReached(() => client.cancel(known));
  else {
    const result = await untilReached(() => client.erase(known, { by: 'privacy', why: 'asked for' }));
    if (result.status === 'erased' || result.status === 'gone') sent.erased.add(known);
  }
  wire.log(time.current, `${what} ${known}`);
}

async function untilAnswered(client: BestframeClient, request: VerificationRequest) {
  for (;;) {
    try {
      return await client.enqueue(request);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code !== 'REDIS_UNAVAILABLE' && error.code !== 'DEPENDENCY_DOWN') return error;
      await sleep(error.retryAfterMs ?? 500);
    }
  }
}

/** Repeats a command while Redis cannot be reached. */
export async function untilReached<T>(command: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await command();
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'REDIS_UNAVAILABLE') throw error;
      await sleep(500);
    }
  }
}

function payloadOf(bytes: Buffer): Payload {
  return { md5: createHash('md5').update(bytes).digest('hex'), bytes: bytes.length };
}
