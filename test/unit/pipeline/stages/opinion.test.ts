import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { localFailure } from '../../../../src/domain/errors/failure.ts';
import { CODES } from '../../../../src/domain/errors/index.ts';
import type { OpenFrame } from '../../../../src/domain/ports.ts';
import { OPINION } from '../../../../src/domain/verification/actions.ts';
import type { CallBody } from '../../../../src/domain/verification/call-body.ts';
import type { DownloadOutcome, StageOutcomes } from '../../../../src/domain/verification/outcomes.ts';
import { opinion } from '../../../../src/pipeline/stages/opinion.ts';
import { NOW, readAll, type Stubs, stageContext, stageInput } from './stages.ts';

const PICTURE = Buffer.from('a picture of a face');
const STORED = {
  ...{ path: '/frames/v1.jpg', bytes: PICTURE.length },
  md5: createHash('md5').update(PICTURE).digest('hex'),
};
const DETECTED = {
  ...({ decision: 'match', similarity: 90, result: 'Success', requestId: null, billed: true } as const),
  bestFrame: { url: 'https://frame', md5: null, expiresAt: NOW + 1 },
};
async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (const byte of bytes) yield Buffer.from([byte]);
}
const ANSWER = { level: 'Low', attacks: [], requestId: 'r-1' } as const;

function run(download: DownloadOutcome | undefined, sink: Stubs['sink'] = {}, more: Partial<StageOutcomes> = {}) {
  const bodies: CallBody[] = [];
  const links = { get: async () => piecesOf(PICTURE) };
  const context = stageContext(
    { sink, links },
    {
      async payOpinion(prepare) {
        bodies.push(await prepare());
        return ANSWER;
      },
    },
  );
  const outcomes = download === undefined ? more : { download, ...more };
  return { bodies, answer: opinion(stageInput({ outcomes }), context) };
}

describe('opinion', () => {
  it('sends the stored frame as a picture, and closes it', async () => {
    let closed = 0;
    const frame: OpenFrame = {
      async *bytes(from, to) {
        yield PICTURE.subarray(from, to + 1);
      },
      async close() {
        closed += 1;
      },
    };
    const { bodies, answer } = run({ frame: 'stored', stored: STORED }, { open: async () => frame });
    expect(await answer).toEqual(ANSWER);
    const [body] = bodies;
    expect(JSON.parse(await readAll(body?.stream() ?? expect.fail('no body')))).toEqual({
      FaceInputType: 1,
      FaceInput: PICTURE.toString('base64'),
    });
    expect(closed).toBe(1);
  });

  it.each<readonly [string, DownloadOutcome | undefined]>([
    ['no download', undefined],
    ['a lost frame', { frame: 'lost', stored: null }],
    ['a frame that the vendor did not return', { frame: 'none', stored: null }],
  ])('asks nothing with %s', async (_what, download) => {
    const { bodies, answer } = run(download);
    await expect(answer).rejects.toMatchObject({ code: 'FRAME_MISSING' });
    expect(bodies).toEqual([]);
  });

  it('asks nothing if the stored frame is gone', async () => {
    const { bodies, answer } = run({ frame: 'stored', stored: STORED }, { open: async () => null });
    await expect(answer).rejects.toMatchObject({ code: 'FRAME_MISSING' });
    expect(bodies).toEqual([]);
  });

  describe('if another machine stored the frame', () => {
    const elsewhere = {
      open: async () => {
        throw localFailure(CODES.FRAME_ELSEWHERE, 'elsewhere');
      },
    };
    const stored = { frame: 'stored', stored: STORED } as const;

    it.each([
      ['in a folder of its own', { open: async () => null }],
      ['in a folder of another name', elsewhere],
    ])('%s, reads it by its link', async (_where, sink) => {
      const { bodies, answer } = run(stored, sink, { detect: DETECTED });
      expect(await answer).toEqual(ANSWER);
      expect(await readAll(bodies[0]?.stream() ?? expect.fail('no body'))).toContain(PICTURE.toString('base64'));
    });

    it('asks nothing once the link has expired', async () => {
      const bestFrame = { ...DETECTED.bestFrame, expiresAt: NOW };
      const { bodies, answer } = run(stored, elsewhere, { detect: { ...DETECTED, bestFrame } });
      await expect(answer).rejects.toMatchObject({ code: 'FRAME_MISSING' });
      expect(bodies).toEqual([]);
    });

    it('asks nothing about other bytes', async () => {
      const other = { frame: 'stored', stored: { ...STORED, md5: '0'.repeat(32) } } as const;
      const { bodies, answer } = run(other, elsewhere, { detect: DETECTED });
      await expect(answer).rejects.toMatchObject({ code: 'FRAME_MD5_MISMATCH' });
      expect(bodies).toEqual([]);
    });
  });

  it('asks nothing about a frame that is too large after Base64', async () => {
    const stored = { ...STORED, bytes: OPINION.maxBytes + 1 };
    const { bodies, answer } = run({ frame: 'stored', stored });
    await expect(answer).rejects.toMatchObject({ code: 'SOURCE_TOO_LARGE', field: 'secondOpinion' });
    expect(bodies).toEqual([]);
    expect(OPINION.maxBytes).toBe(7_864_320); // 10 MB as Base64
  });
});
