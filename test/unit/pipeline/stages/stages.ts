/** Stubs of the ports for the tests of the stages: every port fails the test unless the test gives it a part to play. */
import { expect } from 'vitest';
import type { Bucket, FaceId, FrameSink, LinkIo, OpenSource, Sources } from '../../../../src/domain/ports.ts';
import type { Order } from '../../../../src/domain/verification/request.ts';
import type { Edges, StageContext, StageInput } from '../../../../src/pipeline/stages/index.ts';

export const REGION = 'ap-singapore';
export const OWN_BUCKET = { name: 'own-1250000000', region: REGION } as const;
export const MD5 = { liveData: 'a'.repeat(32), image: 'b'.repeat(32), video: 'c'.repeat(32) };
export const NOW = 1_000_000;

export const ORDER: Order = {
  action: 'DetectReflectLivenessAndCompare',
  region: REGION,
  upload: 'own-bucket',
  resources: {
    liveData: { from: 'file', path: '/l.gz' },
    image: { from: 'https', url: 'https://photos.example/1.jpg' },
  },
  frame: { to: 'file' },
};

export function stageInput(more: Partial<StageInput> = {}): StageInput {
  return { id: 'v1', tenant: null, generation: 2, order: ORDER, outcomes: {}, ...more };
}

/** The outcome of an upload to the own bucket. */
export const UPLOADED = {
  resources: {
    liveData: { bytes: 10, md5: MD5.liveData, object: place('temp/v1/2/liveData') },
    image: { bytes: 20, md5: MD5.image, object: place('temp/v1/2/image') },
  },
};

export function place(key: string, bucket: string = OWN_BUCKET.name) {
  return { bucket, region: REGION, key };
}

export interface Stubs {
  readonly sources?: Partial<Sources>;
  readonly links?: Partial<LinkIo>;
  readonly faceId?: Partial<FaceId>;
  readonly sink?: Partial<FrameSink>;
  readonly bucket?: Partial<Bucket>;
}

export function stageContext(stubs: Stubs = {}, more: Partial<StageContext> = {}): StageContext {
  const edges: Edges = {
    sources: stub('sources', stubs.sources),
    links: stub('links', stubs.links),
    faceId: stub('faceId', stubs.faceId),
    sink: stub('sink', stubs.sink),
    bucket: (region) => {
      expect(region).toBe(REGION);
      return stub<Bucket>('bucket', { ...OWN_BUCKET, ...stubs.bucket });
    },
  };
  return {
    edges,
    wall: null,
    signal: new AbortController().signal,
    objectFolder: 'temp',
    now: () => NOW,
    receiptOwner: 'owner',
    proofOf: () => 'proof',
    uploadUrlTurns: () => expect.fail('no slot of CreateUploadUrl is needed'),
    pay: () => expect.fail('no paid call must be made'),
    payStart: () => expect.fail('no session must be started'),
    payOpinion: () => expect.fail('no second opinion must be asked for'),
    resultTurn: () => expect.fail('no slot of a result call is needed'),
    heldFrame: null,
    freshMedia: () => expect.fail('no media are needed'),
    mayLeaveMedia: false,
    ...more,
  };
}

/** A port of which only `part` may be used. */
function stub<T extends object>(name: string, part: Partial<T> = {}): T {
  return new Proxy(part as T, {
    get: (target, property) =>
      property in target ? Reflect.get(target, property) : expect.fail(`${name}.${String(property)} must not be used`),
  });
}

/** A source of a few bytes that counts how often it was closed. */
export function openSource(more: Partial<OpenSource> = {}): OpenSource & { closed: number } {
  const opened = {
    closed: 0,
    sizeBytes: 10,
    md5: MD5.liveData,
    async *stream() {
      yield Buffer.from('bytes');
    },
    async close() {
      opened.closed += 1;
    },
    ...more,
  };
  return opened;
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
