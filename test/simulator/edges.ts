/** The ports of one process: FaceID, COS, sources and frames, over the simulated network. */
import { createHash } from 'node:crypto';
import { parseDetectReply, parseUploadUrlReply } from '../../src/adapters/faceid/replies.ts';
import { abortFailure } from '../../src/adapters/http/abort-failure.ts';
import { recodeFailure } from '../../src/adapters/http/answer-failures.ts';
import { withQuickRetries } from '../../src/adapters/http/quick-retries.ts';
import { Failure, inputFailure, localFailure, type Service } from '../../src/domain/errors/failure.ts';
import { CODES } from '../../src/domain/errors/index.ts';
import type {
  Bucket,
  DetectInput,
  FaceId,
  FrameSink,
  LinkIo,
  NewFrame,
  OpenSource,
  Sources,
} from '../../src/domain/ports.ts';
import type { FrameReceipt } from '../../src/domain/verification/frame-receipt.ts';
import type { StoredFrame } from '../../src/domain/verification/outcomes.ts';
import type { Source } from '../../src/domain/verification/sources.ts';
import type { Answer } from '../../src/emulator/exchange.ts';
import type { Edges } from '../../src/pipeline/stages/index.ts';
import type { Network } from './network.ts';
import { linkTo, OWN_BUCKET, REGION, type Vendor } from './vendor.ts';
import type { Owner, VirtualTime } from './virtual-time.ts';

/** Everything outside the processes that they share. */
export interface Outside {
  readonly time: VirtualTime;
  readonly network: Network;
  readonly vendor: Vendor;
  /** Files and pages by path or URL. */
  readonly inputs: Map<string, Buffer>;
  /** Hosts of sources that do not answer. */
  readonly stalledHosts: Set<string>;
  /** The frames folder, which all workers share. */
  readonly frames: Map<string, { readonly frame: StoredFrame; readonly receipt: FrameReceipt | null }>;
  /** How often each kind of loss may happen, as a share of the calls. */
  readonly losses: Losses;
}

export interface Losses {
  readonly refused: number;
  readonly lostRequest: number;
  readonly lostReply: number;
  readonly lateReply: number;
}

/** A process with a machine of its own. */
export interface Machine {
  /** Its folder of sources is not mounted. */
  unmounted: boolean;
}

interface Exchange<T> {
  readonly service: Service;
  readonly workMs: number;
  readonly signal: AbortSignal;
  perform(): T | Promise<T>;
  /** Whether no answer comes, although the call is performed. */
  isSilent?(): boolean;
}

export function openEdges(owner: Owner, machine: Machine, outside: Outside): Edges {
  const { time, network, vendor, losses } = outside;

  /** One event of this process after a time; rejects as soon as the signal aborts. */
  function wait(ms: number, signal: AbortSignal, sent: 'no' | 'maybe', service: Service = 'http'): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = () => {
        const { code, message } = abortFailure(signal, sent);
        return localFailure(code, message, { service, sent });
      };
      if (signal.aborted) return reject(failed());
      const onAbort = () => {
        cancel();
        reject(failed());
      };
      const cancel = time.after(ms, owner, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  const broken = (sent: 'no' | 'maybe', service: Service) =>
    localFailure(CODES.RESET, 'the connection broke before the answer was complete', { service, sent });

  /** Opens a connection: three ways, and TLS's two. */
  async function open(signal: AbortSignal, service: Service): Promise<void> {
    await wait(3 * network.vendorMs(), signal, 'no', service);
    if (network.chance(losses.refused))
      throw localFailure(CODES.CONNECT_REFUSED, 'the server refused the connection', { service });
  }

  /** One request and its answer on an open connection. */
  function exchange<T>({ service, workMs, signal, perform, isSilent }: Exchange<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let over = false;
      const end = (settle: () => void) => {
        if (over) return;
        over = true;
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => {
        const { code, message } = abortFailure(signal, 'maybe');
        end(() => reject(localFailure(code, message, { service, sent: 'maybe' })));
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      const back = (ms: number, settle: () => void) => time.after(ms, owner, () => end(settle));
      if (network.chance(losses.lostRequest)) {
        back(2 * network.vendorMs(), () => reject(broken('maybe', service)));
        return;
      }
      const lostReply = network.chance(losses.lostReply);
      const lateMs = network.chance(losses.lateReply) ? network.int(5_000, 60_000) : 0;
      time.after(network.vendorMs(), null, async () => {
        let answer: () => void;
        try {
          const value = await perform();
          answer = () => resolve(value);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (isSilent?.() === true) return;
        if (lostReply) back(network.vendorMs(), () => reject(broken('maybe', service)));
        else back(network.workMs(workMs) + network.vendorMs() + lateMs, answer);
      });
    });
  }

  const cos = <T>(signal: AbortSignal, perform: () => T): Promise<T> =>
    withQuickRetries(async () => exchange({ service: 'cos', workMs: 12, signal, perform }), signal);

  const links: LinkIo = {
    put: (link, body, { md5 }, signal) =>
      withQuickRetries(async () => {
        const pieces: Uint8Array[] = [];
        for await (const piece of body()) pieces.push(piece);
        const bytes = Buffer.concat(pieces);
        await exchange({ service: 'cos', workMs: 25, signal, perform: () => vendor.putByLink(link, bytes, md5) });
      }, signal),
    probe: async (link, signal) => {
      const { bytes, md5 } = await unreadable(cos(signal, () => vendor.getByLink(link)));
      return { sizeBytes: bytes.length, etagMd5: md5 };
    },
    hash: async (link, signal) => {
      const { bytes, md5 } = await unreadable(cos(signal, () => vendor.getByLink(link)));
      return { sizeBytes: bytes.length, md5 };
    },
    get: async (link, signal) => {
      const { bytes } = await missing(cos(signal, () => vendor.getByLink(link)));
      return piecesOf(bytes);
    },
  };

  const faceId: FaceId = {
    createUploadUrl: (action, _region, turn, signal) =>
      withQuickRetries(async () => {
        await open(signal, 'faceid');
        let taken = await turn();
        while (taken.missed()) taken = await turn();
        const perform = () => vendor.createUploadUrl(action);
        const link = parseUploadUrlReply(replyOf(await exchange({ service: 'faceid', workMs: 20, signal, perform })));
        if (link === null) throw new Error('the far end sent an answer that cannot be read');
        return link;
      }, signal),

    secondOpinion: () => {
      throw new Error('the simulator asks for no second opinion');
    },

    async detect(action, _region, turn, signal) {
      await open(signal, 'faceid');
      let taken = await turn();
      while (taken.missed()) taken = await turn();
      const { input, signal: limit } = taken;
      if (limit.aborted) throw abortFailure(limit, 'no');
      const call = { action, live: linkOf(input, 'liveData', 'video'), image: linkOf(input, 'image') };
      const answer = await exchange({
        service: 'faceid',
        workMs: 250,
        signal: limit,
        perform: () => vendor.detect(call),
        isSilent: () => vendor.troubles.faceIdSilent,
      });
      const parsed = parseDetectReply(action, replyOf(answer), Date.now());
      if (parsed === null) throw new Error('the far end sent an answer that cannot be read');
      return parsed;
    },

    startFlow() {
      throw new Error('the simulation starts no sessions');
    },

    flowResult() {
      throw new Error('the simulation starts no sessions');
    },
    prepareCall: () => undefined, // connections open in no time here
    forgetCall: () => undefined,

    generateSequence() {
      throw new Error('the simulation makes no light sequences');
    },
  };

  const bucket: Bucket = {
    name: OWN_BUCKET,
    region: REGION,
    // COS and Tencent check the expiry of a link by their own clocks, but this machine signs by its own.
    signPut: async (key, ttlMs) => linkTo({ bucket: OWN_BUCKET, key }, 'PUT', Date.now() + ttlMs),
    signGet: async (place, ttlMs) => linkTo(place, 'GET', Date.now() + ttlMs),
    remove: (key, signal) => cos(signal, () => vendor.remove(OWN_BUCKET, key)),
    removeAll: async (prefix, signal) => ({ versions: await cos(signal, () => vendor.removeAll(OWN_BUCKET, prefix)) }),
    // The simulation writes each object under a key that contains its verification's id, so nobody else can have written it.
    ownerOf: async () => null,
    removeOwned: (key, _owner, signal) => cos(signal, () => vendor.remove(OWN_BUCKET, key)),
    removeVersions: async (key, signal) => {
      await cos(signal, () => vendor.remove(OWN_BUCKET, key));
      return { versions: 1 };
    },
  };

  const sources: Sources = {
    async open(source, _rule, field, signal) {
      if (source.from === 'file') await wait(network.diskMs(), signal, 'no', 'source');
      if (source.from === 'file' && machine.unmounted)
        throw localFailure(CODES.ROOT_UNREADABLE, 'a file root cannot be read');
      if (source.from === 'https') {
        const { host } = new URL(source.url);
        // A stalled host never answers: the reader waits for its own limit.
        await wait(outside.stalledHosts.has(host) ? 10 * 60_000 : network.vendorMs() * 6, signal, 'no', 'source');
      }
      const bytes = outside.inputs.get(nameOf(source));
      if (bytes === undefined) throw inputFailure(CODES.SOURCE_MISSING, field, `${field} does not exist`);
      if (!bytes.includes(' ')) throw inputFailure(CODES.SOURCE_NOT_BYTES, field, `${field} is Base64 text`);
      return openSource(bytes);
    },
    limitedTo() {
      throw new Error('the simulation has no tenants');
    },
  };

  const sink: FrameSink = {
    async store(entry, signal) {
      const path = pathOf(entry);
      const pieces: Uint8Array[] = [];
      for await (const piece of entry.frame) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      const md5 = createHash('md5').update(bytes).digest('hex');
      if (entry.md5 !== null && entry.md5 !== md5)
        throw localFailure(CODES.FRAME_MD5_MISMATCH, 'the frame differs from what the vendor sent', {
          service: 'sink',
        });
      const frame = { path, md5, bytes: bytes.length };
      await wait(network.diskMs(), signal, 'no', 'sink');
      outside.frames.set(path, { frame, receipt: null });
      await wait(network.diskMs(), signal, 'no', 'sink');
      outside.frames.set(path, { frame, receipt: { ...entry.receipt, frame: { md5, bytes: bytes.length } } });
      return frame;
    },
    async receipt({ id, target }, signal) {
      if (target.to === 'none') return null;
      await wait(network.diskMs(), signal, 'no', 'sink');
      const found = outside.frames.get(pathFor(id));
      return found?.receipt?.id === id ? { receipt: found.receipt, stored: found.frame } : null;
    },
    async remove({ path }, _id, signal) {
      await wait(network.diskMs(), signal, 'no', 'sink');
      outside.frames.delete(path);
    },
    removeParts: async () => undefined,
    async *receipts() {
      for (const [path, { receipt }] of [...outside.frames]) if (receipt !== null) yield { path, receipt };
    },
    pathFor: ({ id, target }) => (target.to === 'none' ? null : pathFor(id)),
    async open() {
      throw new Error('nobody reads frames in the simulation');
    },
  };

  return { sources, links, faceId, sink, bucket: () => bucket };
}

function pathFor(id: string): string {
  return `/frames/${id}.jpg`;
}

function pathOf({ id }: NewFrame): string {
  return pathFor(id);
}

function nameOf(source: Source): string {
  return source.from === 'file' ? source.path : source.from === 'https' ? source.url : source.key;
}

function openSource(bytes: Buffer): OpenSource {
  return {
    sizeBytes: bytes.length,
    md5: createHash('md5').update(bytes).digest('hex'),
    stream: () => piecesOf(bytes),
    close: async () => undefined,
  };
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function linkOf(input: DetectInput, ...names: readonly ('liveData' | 'video' | 'image')[]) {
  const links = 'links' in input ? input.links : {};
  const found = names.map((name) => links[name]).find((each) => each !== undefined);
  if (found === undefined) throw new Error(`the call lacks ${names.join(' and ')}`);
  return found;
}

/** The vendor's answer, through JSON as on the wire. @throws Failure for an error answer */
function replyOf({ body }: Answer): unknown {
  const { Response: reply } = JSON.parse(String(body)) as {
    Response: { Error?: { Code: string; Message: string }; RequestId: string };
  };
  if (reply.Error === undefined) return reply;
  const { Code: code, Message: message } = reply.Error;
  const facts = { service: 'faceid', channel: 'error', sent: 'answered', httpStatus: 200 } as const;
  throw new Failure({ ...facts, code, requestId: reply.RequestId }, message);
}

async function unreadable<T>(read: Promise<T>): Promise<T> {
  return recoded(read, CODES.LINK_UNREADABLE);
}

async function missing<T>(read: Promise<T>): Promise<T> {
  return recoded(read, CODES.FRAME_MISSING);
}

/** As the adapter does: a refusal that would be repeated gets a code of its own. */
async function recoded<T>(read: Promise<T>, code: string): Promise<T> {
  try {
    return await read;
  } catch (error) {
    if (!(error instanceof Failure) || (error.httpStatus ?? 500) >= 500) throw error;
    throw recodeFailure(
      error,
      error.httpStatus === 403 && code === CODES.FRAME_MISSING ? CODES.FRAME_EXPIRED : code,
      error.message,
    );
  }
}
