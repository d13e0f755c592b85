/**
 * Everything outside the process, in memory: FaceID takes as long as it is told, and the rest answers at once. What is left of a
 * verification is Bestframe's own work. Like a bucket, these edges remember the MD5 of what was put, so that the check of the links finds it.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Bucket, FaceId, FrameSink, LinkIo, OpenSource, Sources, Turn } from '../src/domain/ports.ts';
import type { Edges } from '../src/pipeline/stages/index.ts';

export const NOOP_BUCKET = 'faces-1250000000';
const SIZE_BYTES = 50_000;
const FRAME_MD5 = 'f'.repeat(32);
const FRAME_MS = 2 * 3_600_000;

export interface NoopVendor {
  /** How long FaceID works on a call, ms. */
  readonly detectMs: number;
  /** Called with each frame that is stored, which is the last thing that a verification does outside. */
  onStored(): void;
}

export function openNoopEdges({ detectMs, onStored }: NoopVendor): Edges {
  const objects = new Map<string, string>();
  const mark = randomBytes(6).toString('hex');
  let opened = 0;

  const sources: Sources = {
    async open(): Promise<OpenSource> {
      opened += 1; // no two sources have the same bytes
      const md5 = `${mark}${opened.toString(16).padStart(20, '0')}`;
      return { sizeBytes: SIZE_BYTES, md5, stream: noBytes, close: async () => undefined };
    },
    limitedTo: () => sources,
  };

  const links: LinkIo = {
    async put(link, _body, { md5 }) {
      objects.set(link, md5);
    },
    async probe(link) {
      const etagMd5 = objects.get(link) ?? null;
      objects.delete(link); // each link is checked once
      return { sizeBytes: SIZE_BYTES, etagMd5 };
    },
    hash: unused,
    get: async () => noBytes(),
  };

  const faceId: FaceId = {
    async detect(_action, _region, turn) {
      await taken(turn);
      if (detectMs > 0) await pause(detectMs);
      return {
        result: 'Success',
        description: 'Success',
        similarity: 98.5,
        requestId: '00000000-0000-4000-8000-000000000000',
        bestFrame: { url: linkTo('frame'), md5: FRAME_MD5, expiresAt: Date.now() + FRAME_MS },
      };
    },
    prepareCall: () => undefined,
    forgetCall: () => undefined,
    createUploadUrl: unused,
    secondOpinion: unused,
    startFlow: unused,
    flowResult: unused,
    generateSequence: unused,
  };

  const sink: FrameSink = {
    async store({ id }) {
      onStored();
      return { path: `/frames/${id}.jpg`, md5: FRAME_MD5, bytes: SIZE_BYTES };
    },
    receipt: async () => null,
    pathFor: ({ id }) => `/frames/${id}.jpg`,
    open: unused,
    remove: unused,
    removeParts: unused,
    receipts: unused,
  };

  const bucket: Bucket = {
    name: NOOP_BUCKET,
    region: 'ap-singapore',
    signPut: async (key) => linkTo(key),
    signGet: async ({ key }) => linkTo(key),
    remove: unused,
    removeAll: unused,
    removeVersions: unused,
    ownerOf: unused,
    removeOwned: unused,
  };

  return { sources, links, faceId, sink, bucket: () => bucket };
}

/** Waits for a slot that is not missed, as the adapter does. */
async function taken<T extends Turn>(turn: () => Promise<T>): Promise<T> {
  for (;;) {
    const slot = await turn();
    if (!slot.missed()) return slot;
  }
}

function linkTo(key: string): string {
  return `https://${NOOP_BUCKET}.cos.ap-singapore.myqcloud.com/${key}`;
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

function unused(): never {
  throw new Error('the benchmark does not use this');
}
