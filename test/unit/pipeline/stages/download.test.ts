/** Tests when BestFrame is fetched, what is stored with it, and whom a failure is charged to, with stubbed ports. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { NewFrame } from '../../../../src/domain/ports.ts';
import type { DetectOutcome } from '../../../../src/domain/verification/outcomes.ts';
import type { Order } from '../../../../src/domain/verification/request.ts';
import { hasFrameToFetch, stages } from '../../../../src/pipeline/stages/index.ts';
import { NOW, ORDER, REGION, readAll, stageContext, stageInput } from './stages.ts';

const STORED = { path: '/frames/v1.jpg', md5: 'f'.repeat(32), bytes: 5 };
const FRAME = { url: 'https://frame', md5: 'e'.repeat(32), expiresAt: NOW + 1 };
const DETECT: DetectOutcome = {
  decision: 'match',
  similarity: 91,
  result: 'Success',
  requestId: 'r-1',
  billed: true,
  bestFrame: FRAME,
};
const NO_FRAME: Order = { ...ORDER, frame: { to: 'none' } };
const TO_COS: Order = { ...ORDER, frame: { to: 'cos', bucket: 'faces-1250000000', region: REGION, key: 'f.jpg' } };
const denied = () =>
  new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent: 'answered' }, 'denied');

interface World {
  readonly order?: Order;
  readonly detect?: DetectOutcome | undefined;
  readonly link?: Error;
  readonly stream?: Error;
  readonly sink?: Error;
}

function run(world: World = {}) {
  const { order = ORDER, link, stream, sink } = world;
  const detect = 'detect' in world ? world.detect : DETECT;
  const frames: (NewFrame & { bytes: string })[] = [];
  const proofs: unknown[] = [];
  async function* bytes() {
    yield Buffer.from('frame');
    if (stream) throw stream;
  }
  const context = stageContext(
    {
      links: {
        async get(url) {
          expect(url).toBe(FRAME.url);
          if (link) throw link;
          return bytes();
        },
      },
      sink: {
        async store(frame) {
          frames.push({ ...frame, bytes: await readAll(frame.frame) });
          if (sink) throw sink;
          return STORED;
        },
      },
    },
    {
      proofOf: (...args) => {
        proofs.push(args);
        return 'proof';
      },
    },
  );
  const input = stageInput({ order, outcomes: detect === undefined ? {} : { detect } });
  return { result: stages.download(input, context), fetches: hasFrameToFetch(input), frames, proofs };
}

describe('a frame', () => {
  it('is stored with a receipt of the decision', async () => {
    const { result, frames, proofs, fetches } = run();
    expect(await result).toEqual({ frame: 'stored', stored: STORED });
    expect(fetches).toBe(true);
    expect(frames).toEqual([
      {
        id: 'v1',
        tenant: null,
        target: ORDER.frame,
        frame: expect.anything(),
        bytes: 'frame',
        md5: FRAME.md5,
        receipt: {
          id: 'v1',
          decision: 'match',
          similarity: 91,
          result: 'Success',
          requestId: 'r-1',
          decidedAt: NOW,
          proof: 'proof',
          owner: 'owner',
          paid: true,
        },
      },
    ]);
    expect(proofs).toEqual([[ORDER, DETECT]]);
  });

  it.each([
    ['that is stored already', { detect: { ...DETECT, stored: STORED } }, { frame: 'stored', stored: STORED }],
    ['that nobody wants', { order: NO_FRAME }, { frame: 'none', stored: null }],
    ['that the vendor did not return', { detect: { ...DETECT, bestFrame: null } }, { frame: 'none', stored: null }],
    [
      'that is hidden in the answer',
      { detect: { ...DETECT, bestFrame: null, frameHidden: true } },
      { frame: 'unknown_shape', stored: null },
    ],
    ['of no answer', { detect: undefined }, { frame: 'none', stored: null }],
  ] as const)('%s is not fetched', async (_what, world, outcome) => {
    const { result, fetches, frames } = run(world);
    expect(await result).toEqual(outcome);
    expect([fetches, frames]).toEqual([false, []]);
  });

  it('whose link has expired is gone', async () => {
    const { result } = run({ detect: { ...DETECT, bestFrame: { ...FRAME, expiresAt: NOW } } });
    await expect(result).rejects.toMatchObject({
      code: 'FRAME_EXPIRED',
      message: 'the BestFrame link has expired: the vendor no longer has the picture',
    });
  });
});

describe('a failure', () => {
  it.each([
    ['of the link', { link: denied() }],
    ['in the middle of the bytes', { stream: denied() }],
  ])('%s is evidence about COS, and not about the account', async (_what, world) => {
    await expect(run(world).result).rejects.toMatchObject({ about: undefined, dependency: 'cos:get' });
  });

  it('to store the frame in a caller’s bucket is charged to the caller', async () => {
    const { result } = run({ order: TO_COS, sink: denied() });
    await expect(result).rejects.toMatchObject({ about: 'caller', dependency: 'cos:put' });
  });

  it('to store the frame in a file is charged to nobody', async () => {
    await expect(run({ sink: denied() }).result).rejects.toMatchObject({ about: undefined, dependency: undefined });
  });
});
