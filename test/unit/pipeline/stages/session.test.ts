/** Tests the stages of a session with stubbed ports: the start, the question for the result, and the moving of its media. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { FaceId, NewFrame } from '../../../../src/domain/ports.ts';
import type { DetectOutcome } from '../../../../src/domain/verification/outcomes.ts';
import type { Order } from '../../../../src/domain/verification/request.ts';
import type { FlowResult } from '../../../../src/domain/verification/session-result.ts';
import { stages } from '../../../../src/pipeline/stages/index.ts';
import { NOW, ORDER, REGION, readAll, stageContext, stageInput } from './stages.ts';

const WEB: Order = {
  ...ORDER,
  action: 'ApplyWebVerificationBizTokenIntl',
  session: { parameters: { RedirectURL: 'https://shop.example/{id}/{id}', RetryLimit: 3 }, media: ['bestFrame'] },
};
const SDK: Order = { ...ORDER, action: 'ApplySdkVerificationToken', session: { parameters: {}, media: ['bestFrame'] } };
const TOKEN = 'token-1';
const START = { token: TOKEN, at: NOW, requestId: null, charge: { currency: '', micros: 0, day: '', month: '' } };
const refused = (sent: 'no' | 'answered' = 'answered') =>
  new Failure({ service: 'cos', channel: 'error', code: 'AccessDenied', sent }, 'refused');

describe('the start', () => {
  async function start(order: Order): Promise<string> {
    let sent = '';
    const turn = async () => ({}) as never;
    const context = stageContext(
      {
        faceId: {
          async startFlow(flow, region) {
            expect([flow, region]).toEqual([order.action, REGION]);
            throw refused();
          },
        },
      },
      {
        async payStart(prepare, call) {
          const body = await prepare();
          sent = await readAll(body.stream());
          await call(turn, new AbortController().signal);
          return START;
        },
      },
    );
    const failure = await stages.start(stageInput({ order }), context, []).catch((error: unknown) => error);
    expect(failure).toMatchObject({ about: 'deployment', dependency: `faceid:${order.action}` });
    return sent;
  }

  it('carries the parameters, with the id of the session where the page returns to', async () => {
    expect(JSON.parse(await start(WEB))).toEqual({ RetryLimit: 3, RedirectURL: 'https://shop.example/v1/v1' });
    expect(JSON.parse(await start(SDK))).toEqual({});
  });
});

describe('the question for the result', () => {
  const RESULT = { code: 'Result.0' } as FlowResult;

  it('is asked by the result call of the flow, with the token', async () => {
    const asked: unknown[] = [];
    const resultTurn = async () => ({ missed: () => false });
    const faceId: Partial<FaceId> = {
      async flowResult(issued, turn) {
        asked.push(issued, await turn());
        return RESULT;
      },
    };
    const context = stageContext({ faceId }, { resultTurn });
    expect(await stages.collect(stageInput({ order: SDK, outcomes: { start: START } }), context)).toBe(RESULT);
    expect(asked).toEqual([{ flow: SDK.action, region: REGION, token: TOKEN }, { missed: expect.any(Function) }]);
  });

  it('is evidence about the result call if it fails, and needs a token', async () => {
    const faceId: Partial<FaceId> = { flowResult: () => Promise.reject(refused()) };
    const input = stageInput({ order: SDK, outcomes: { start: START } });
    await expect(stages.collect(input, stageContext({ faceId }))).rejects.toMatchObject({
      about: 'deployment',
      dependency: 'faceid:GetSdkVerificationResult',
    });
    expect(() => stages.collect(stageInput({ order: SDK }), stageContext())).toThrow('before the session had a token');
  });
});

describe('the media', () => {
  const FRAME = { url: 'https://media/frame', md5: 'a'.repeat(32) };
  const VIDEO = { url: 'https://media/video', md5: null };
  const OCR = { bytes: Buffer.from('{}') };

  interface World {
    readonly names: NonNullable<DetectOutcome['media']>['names'];
    readonly found?: FlowResult['media'];
    /** Fails to store the files with this in their name. */
    readonly fails?: RegExp;
    readonly failure?: Error;
    readonly mayLeaveMedia?: boolean;
  }

  function move({ names, found = {}, fails, failure = refused(), mayLeaveMedia = false }: World) {
    const stored: (Pick<NewFrame, 'target' | 'md5'> & { bytes: string })[] = [];
    const context = stageContext(
      {
        links: {
          async get(url) {
            return (async function* () {
              yield Buffer.from(url);
            })();
          },
        },
        sink: {
          async store({ target, md5, frame }) {
            const name = target.to === 'file' ? (target.name ?? 'frame') : '';
            if (fails?.test(name)) throw failure;
            stored.push({ target, md5, bytes: await readAll(frame) });
            return { path: name, md5: 'e'.repeat(32), bytes: 1 };
          },
        },
      },
      { mayLeaveMedia, ...(names.length === 0 ? {} : { freshMedia: async () => found }) },
    );
    const detect: DetectOutcome = {
      ...{ decision: 'live', similarity: null, result: 'Result.0', requestId: null, billed: true, bestFrame: null },
      media: { names, until: NOW + 1 },
    };
    return { stored, result: stages.download(stageInput({ order: SDK, outcomes: { detect } }), context) };
  }

  it('are stored beside the frame, with the MD5 that the vendor gave', async () => {
    const found = { bestFrame: FRAME, liveVideo: VIDEO, ocr: OCR };
    const { stored, result } = move({ names: ['bestFrame', 'liveVideo', 'ocr'], found });
    const at = (path: string) => ({ path, md5: 'e'.repeat(32), bytes: 1 });
    expect(await result).toEqual({
      frame: 'stored',
      stored: at('frame'),
      media: [
        { name: 'liveVideo', ...at('v1.liveVideo.mp4') },
        { name: 'ocr', ...at('v1.ocr.json') },
      ],
    });
    expect(stored).toEqual([
      { target: { to: 'file' }, md5: FRAME.md5, bytes: FRAME.url },
      { target: { to: 'file', name: 'v1.liveVideo.mp4' }, md5: null, bytes: VIDEO.url },
      { target: { to: 'file', name: 'v1.ocr.json' }, md5: null, bytes: '{}' },
    ]);
  });

  it('that the vendor no longer has are left out; a wanted frame is then lost', async () => {
    expect(await move({ names: ['bestFrame', 'ocr'], found: { ocr: OCR } }).result).toMatchObject({
      frame: 'lost',
      stored: null,
      media: [{ name: 'ocr' }],
    });
    expect(await move({ names: ['ocr'] }).result).toEqual({ frame: 'none', stored: null, media: [] });
    expect(await move({ names: [] }).result).toEqual({ frame: 'none', stored: null, media: [] });
  });

  it('other than the frame are left after enough failures', async () => {
    const found = { bestFrame: FRAME, ocr: OCR };
    const video = { names: ['bestFrame', 'ocr'] as const, found, fails: /ocr/ };
    await expect(move(video).result).rejects.toMatchObject({ code: 'AccessDenied' });
    expect(await move({ ...video, mayLeaveMedia: true }).result).toMatchObject({ frame: 'stored', media: [] });
    const again = { ...video, mayLeaveMedia: true };
    await expect(move({ ...again, fails: /frame/ }).result).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(move({ ...again, failure: refused('no') }).result).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(move({ ...again, failure: new Error('a bug') }).result).rejects.toThrow('a bug');
  });
});
