/** Tests what the paid call gets, and whom a failure of it is charged to, with stubbed ports. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../../../../src/domain/errors/failure.ts';
import type { DetectInput, PaidTurn } from '../../../../src/domain/ports.ts';
import type { UploadOutcome } from '../../../../src/domain/verification/outcomes.ts';
import type { Order } from '../../../../src/domain/verification/request.ts';
import { stages } from '../../../../src/pipeline/stages/index.ts';
import { MD5, ORDER, place, REGION, stageContext, stageInput, UPLOADED } from './stages.ts';

const ANSWER = { result: 'Success', description: '', similarity: 90, requestId: 'r', bestFrame: null };
const OUTCOME = { ...ANSWER, decision: 'match', billed: true } as const;

interface World {
  readonly order?: Order;
  readonly upload?: UploadOutcome;
  readonly fault?: Error;
}

/** Runs the stage with a `pay` that makes the input and the call at once. */
async function run({ order = ORDER, upload = UPLOADED, fault }: World = {}) {
  const asked: unknown[] = [];
  const signed: unknown[] = [];
  let input: DetectInput | undefined;
  const turn = async () => ({}) as PaidTurn;
  const { signal } = new AbortController();
  const context = stageContext(
    {
      bucket: {
        async signGet({ key }, ttlMs) {
          signed.push([key, ttlMs]);
          return `https://signed/${key}`;
        },
      },
      faceId: {
        async detect(...args) {
          asked.push(args);
          if (fault) throw fault;
          return ANSWER;
        },
      },
    },
    {
      async pay(prepare, call) {
        input = await prepare(15_000);
        expect(await call(turn, signal)).toBe(ANSWER);
        return OUTCOME;
      },
    },
  );
  const outcome = await stages.detect(stageInput({ order, outcomes: { upload } }), context);
  return { outcome, input, signed, asked, call: [order.action, REGION, turn, signal] };
}

describe('the paid call', () => {
  it('gets links that live as long as the call, and the MD5 of each resource', async () => {
    const { outcome, input, signed, asked, call } = await run();
    expect(outcome).toBe(OUTCOME);
    expect(input).toStrictEqual({
      links: {
        liveData: { link: 'https://signed/temp/v1/2/liveData', md5: MD5.liveData },
        image: { link: 'https://signed/temp/v1/2/image', md5: MD5.image },
      },
    });
    expect(signed).toEqual([
      ['temp/v1/2/liveData', 15_000],
      ['temp/v1/2/image', 15_000],
    ]);
    expect(asked).toEqual([call]);
  });

  it('gets the liveness type of the request', async () => {
    const liveness = { type: 'LIP', validateData: '1234' } as const;
    const { input } = await run({ order: { ...ORDER, action: 'VideoLivenessCompare', liveness } });
    expect(input).toMatchObject({ liveness });
  });
});

describe('a failure', () => {
  const fault = (code: string, message = 'no') =>
    new Failure({ service: 'faceid', channel: 'error', code, sent: 'answered' }, message);
  const badLink = () => fault('InvalidParameterValue', 'invalid resourceUrl');
  const dependency = `faceid:${ORDER.action}`;
  const named = { bytes: 20, md5: MD5.image, object: place('callers/image') };

  it('is charged to the deployment', async () => {
    await expect(run({ fault: fault('AuthFailure') })).rejects.toMatchObject({ about: 'deployment', dependency });
  });

  it('because of a link is charged to the deployment if it uploaded every object', async () => {
    await expect(run({ fault: badLink() })).rejects.toMatchObject({ about: 'deployment', dependency });
  });

  it('because of a link is charged to the caller if one object is his', async () => {
    const upload = { resources: { ...UPLOADED.resources, image: named } };
    await expect(run({ upload, fault: badLink() })).rejects.toMatchObject({ about: 'caller', dependency });
  });

  it('because of anything else is charged to the deployment, even if the caller named an object', async () => {
    const upload = { resources: { ...UPLOADED.resources, image: named } };
    await expect(run({ upload, fault: fault('AuthFailure') })).rejects.toMatchObject({ about: 'deployment' });
  });

  it('that is a bug stays as it is', async () => {
    const bug = new TypeError('bug');
    await expect(run({ fault: bug })).rejects.toBe(bug);
  });
});
