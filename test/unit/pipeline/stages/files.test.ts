/** Tests the stages of a call that carries its files: they are read twice and must be the same, and the frame of the answer is stored. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { OpenSource } from '../../../../src/domain/ports.ts';
import { resourcesOf } from '../../../../src/domain/verification/actions.ts';
import type { DetectOutcome } from '../../../../src/domain/verification/outcomes.ts';
import type { Order } from '../../../../src/domain/verification/request.ts';
import { type OpenedResource, stages } from '../../../../src/pipeline/stages/index.ts';
import { MD5, ORDER, openSource, readAll, stageContext, stageInput } from './stages.ts';

const ACTION = 'CompareFaceLiveness';
const COMPARE: Order = { ...ORDER, action: ACTION, liveness: { type: 'SILENT' } };
const rules = new Map(resourcesOf(ACTION));
const [VIDEO, PHOTO] = ['video', 'image'] as const;

function opened(name: typeof VIDEO | typeof PHOTO, more: Partial<OpenSource> = {}): OpenedResource {
  const rule = rules.get(name);
  if (rule === undefined) throw new Error(`${ACTION} takes no ${name}`);
  return { name, rule, source: openSource({ md5: MD5[name], ...more }), origin: {} };
}

const FILES = [opened(VIDEO), opened(PHOTO, { sizeBytes: 20 })];
const READ = {
  resources: { video: { bytes: 10, md5: MD5.video }, image: { bytes: 20, md5: MD5.image } },
};

it('reading gives the size and MD5 of each file, and neither object nor link', () => {
  expect(stages.read(FILES)).toEqual(READ);
});

it('two files with the same bytes are refused', () => {
  expect(() => stages.read([opened(VIDEO), opened(PHOTO, { md5: MD5.video })])).toThrow(
    expect.objectContaining({ code: 'SAME_RESOURCE' }),
  );
});

describe('the body of the call', () => {
  it('has the parameters and each file as Base64', async () => {
    const body = await stages.md5OfFiles(stageInput({ order: COMPARE, outcomes: { upload: READ } }), FILES);
    const text = await readAll(body.stream());
    const bytes = Buffer.from('bytes').toString('base64');
    expect(JSON.parse(text)).toEqual({
      LivenessType: 'SILENT',
      [rules.get(VIDEO)?.parameter ?? '']: bytes,
      [rules.get(PHOTO)?.parameter ?? '']: bytes,
    });
    expect(body.sizeBytes).toBe(text.length);
  });

  it('has no parameter of the liveness if the request names none', async () => {
    const { liveness: _, ...order } = COMPARE;
    const body = await stages.md5OfFiles(stageInput({ order, outcomes: { upload: READ } }), FILES);
    expect(Object.keys(JSON.parse(await readAll(body.stream())))).toHaveLength(2);
  });

  it('is refused if a file is not the one that was read before', async () => {
    const changed = [opened(VIDEO), opened(PHOTO, { md5: 'd'.repeat(32) })];
    const input = stageInput({ order: COMPARE, outcomes: { upload: READ } });
    await expect(stages.md5OfFiles(input, changed)).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      field: 'resources.image',
      message: 'resources.image is not the file that was read before',
    });
    await expect(stages.md5OfFiles(stageInput({ order: COMPARE }), FILES)).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
    });
  });
});

describe('the frame of the answer', () => {
  const FRAME = { bytes: Buffer.from('frame'), md5: 'e'.repeat(32) };
  const STORED = { path: '/frames/v1.jpg', md5: FRAME.md5, bytes: 5 };
  const DECIDED: DetectOutcome = {
    ...{ decision: 'match', similarity: 90, result: 'Success', requestId: null, billed: true, bestFrame: null },
  };
  const denied = () => new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent: 'answered' }, 'no');

  /** @param failures how often the sink refuses, and with what */
  function sinkThat(failures: Error[]) {
    const taken: string[] = [];
    const store = async ({ frame }: { frame: AsyncIterable<Uint8Array> }) => {
      taken.push(await readAll(frame));
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return STORED;
    };
    return { taken, sink: { store } };
  }

  const held = { ...DECIDED, frameHeld: true } as const;

  it('is tried again until it is stored, if it could not be stored with the answer', async () => {
    const { taken, sink } = sinkThat([denied()]);
    const input = stageInput({ order: COMPARE, outcomes: { detect: held } });
    expect(await stages.download(input, stageContext({ sink }, { heldFrame: FRAME }))).toEqual({
      frame: 'stored',
      stored: STORED,
    });
    expect(taken).toEqual(['frame', 'frame']);
  });

  it('is lost if this attempt does not have it', async () => {
    const input = stageInput({ order: COMPARE, outcomes: { detect: held } });
    expect(await stages.download(input, stageContext())).toEqual({ frame: 'lost', stored: null });
  });

  it('is given up at the time limit, with the last failure; a bug is not tried again', async () => {
    const input = stageInput({ order: COMPARE, outcomes: { detect: held } });
    const signal = AbortSignal.abort();
    const refusing = stageContext({ sink: sinkThat([denied(), denied()]).sink }, { heldFrame: FRAME, signal });
    await expect(stages.download(input, refusing)).rejects.toMatchObject({ code: 'AccessDenied' });
    const limit = new AbortController();
    const waiting = stageContext(
      { sink: sinkThat([denied(), denied()]).sink },
      { heldFrame: FRAME, signal: limit.signal },
    );
    setImmediate(() => limit.abort());
    await expect(stages.download(input, waiting)).rejects.toMatchObject({ code: 'AccessDenied' });
    const broken = stageContext({ sink: sinkThat([new Error('a bug')]).sink }, { heldFrame: FRAME });
    await expect(stages.download(input, broken)).rejects.toThrow('a bug');
  });

  describe('with the answer', () => {
    const BODY = { sizeBytes: 1, sha256: '', stream: () => readNothing() };
    async function* readNothing(): AsyncGenerator<Uint8Array> {}

    async function detect(order: Order, failures: Error[] = [], frame: typeof FRAME | null = FRAME) {
      const { taken, sink } = sinkThat(failures);
      const context = stageContext(
        { sink },
        {
          async pay(prepare, _call, keep) {
            expect(await prepare(1_000)).toEqual({ body: BODY });
            const answer = frame === null ? {} : { frame };
            return keep?.(DECIDED, answer as never, new AbortController().signal) ?? DECIDED;
          },
        },
      );
      return { taken, ...(await stages.detectFiles(stageInput({ order }), context, BODY)) };
    }

    it('is stored before the outcome is recorded', async () => {
      const { decided, heldFrame, taken, ms } = await detect(COMPARE);
      expect(decided).toEqual({ ...DECIDED, stored: STORED });
      expect([heldFrame, taken]).toEqual([null, ['frame']]);
      expect(ms).toBeGreaterThanOrEqual(0);
    });

    it('is held if it cannot be stored', async () => {
      const { decided, heldFrame, ms } = await detect(COMPARE, [denied()]);
      expect(decided).toEqual(held);
      expect([heldFrame, ms]).toEqual([FRAME, 0]);
    });

    it('is not stored if nobody wants it, or there is none', async () => {
      expect(await detect({ ...COMPARE, frame: { to: 'none' } })).toMatchObject({ decided: DECIDED, taken: [] });
      expect(await detect(COMPARE, [], null)).toMatchObject({ decided: DECIDED, taken: [] });
    });
  });
});
