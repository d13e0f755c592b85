/**
 * Tests that the support bundle contains the facts that the vendor's support asks for (the RequestId and the parameters of each
 * call) and no personal data.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import type { SupportBundle } from '../../src/domain/verification/support.ts';
import { type SampleOptions, sampleImage, sampleVideo } from '../../src/emulator/samples.ts';
import { createRig, type Rig } from '../support/rig.ts';

const DETECT = 'DetectReflectLivenessAndCompare';

let rig: Rig;

beforeAll(async () => {
  const env = {
    BESTFRAME_QPS_DETECT: '200',
    BESTFRAME_QPS_VIDEO: '200',
    BESTFRAME_QPS_UPLOAD_URL: '200',
    BESTFRAME_BACKOFF_MS: 'batch=20,interactive=20',
    BESTFRAME_CALL_SECONDS: 'batch=1,interactive=1',
  };
  rig = await createRig({ env, emulator: { qps: {} } });
  await rig.openWorker();
});
afterEach(() => rig.control.clearFaults());
afterAll(() => rig.dispose());

async function bundleOf(key: string, sample?: SampleOptions, more: Partial<VerificationRequest> = {}) {
  const { id } = await rig.client.enqueue(await rig.request(key, sample, more));
  const view = await rig.client.wait(id, { until: 'ended', timeoutMs: 50_000 });
  const bundle = await rig.client.support(id);
  if (bundle === null || view === null) throw new Error('the record is missing');
  return { id, view, bundle };
}

function callsTo(bundle: SupportBundle, api: string) {
  return bundle.calls.filter((call) => call.api === api);
}

describe('the calls in a support bundle', { shuffle: false }, () => {
  it('have the second opinion, and say only that it carried BestFrame', async () => {
    const { bundle } = await bundleOf('opinion', { card: 'match' }, { secondOpinion: true });
    const [logged] = await rig.control.calls({ action: 'DetectAIFakeFaces' });
    expect(callsTo(bundle, 'DetectAIFakeFaces')).toMatchObject([
      {
        ...{ code: 'Success', requestId: logged?.requestId, billed: true, bytes: {} },
        parameters: { FaceInputType: '1', FaceInput: 'Base64 of BestFrame' },
      },
    ]);
    expect(callsTo(bundle, 'GetObject')).toEqual([]);
  });

  it('have the RequestId and the parameters that the vendor saw, with links shortened to host and path', async () => {
    const { id, bundle } = await bundleOf('own', { card: 'match', first: { unreadable: 1 } });
    const logged = await rig.control.calls({ action: DETECT, object: id });
    const calls = callsTo(bundle, DETECT);
    expect(calls.map(({ requestId }) => requestId)).toEqual(logged.map(({ requestId }) => requestId));
    expect(calls.map(({ code }) => code)).toEqual(['FailedOperation.DownLoadError', 'Success']);
    expect(calls.map(({ billed }) => billed)).toEqual([false, true]);
    const objects = await rig.control.calls({ service: 'cos', action: 'PutObject', object: id });
    for (const [generation, { parameters, bytes }] of calls.entries()) {
      const place = `${rig.bucket}.cos.ap-singapore.myqcloud.com/bestframe/${id}/${generation}`;
      expect(parameters).toMatchObject({
        LiveDataUrl: `https://${place}/liveData`,
        ImageUrl: `https://${place}/image`,
      });
      for (const parameter of ['LiveDataMd5', 'ImageMd5']) expect(parameters[parameter]).toMatch(/^[0-9a-f]{32}$/);
      const put = objects.find((each) => each.objects?.[0]?.endsWith(`/${generation}/liveData`));
      expect(bytes.LiveDataUrl).toBe(put?.bytes);
    }
    expect(bundle).toMatchObject({ region: 'ap-singapore', version: '2018-03-01', decision: 'match' });
    const rewound = bundle.history.find(({ code }) => code === 'FailedOperation.DownLoadError');
    expect(rewound).toMatchObject({ stage: 'detect', class: 'reupload' });
  });

  it('include both CreateUploadUrl calls, and detect has the links that they returned', async () => {
    const { view, bundle } = await bundleOf('url', { card: 'match' }, { upload: 'create-upload-url' });
    const logged = await rig.control.calls({ action: 'CreateUploadUrl' });
    const made = callsTo(bundle, 'CreateUploadUrl');
    expect(new Set(made.map(({ requestId }) => requestId))).toEqual(new Set(logged.map(({ requestId }) => requestId)));
    expect(made[0]?.parameters).toEqual({ TargetAction: DETECT });
    const [{ parameters } = { parameters: {} }] = callsTo(bundle, DETECT) as { parameters: Record<string, string> }[];
    const [detected] = await rig.control.calls({ action: DETECT, object: 'faceid-resource' });
    const fetched = (detected?.objects ?? []).map((object) => decodeURIComponent(object.split('/').slice(1).join('/')));
    for (const link of [parameters.LiveDataUrl, parameters.ImageUrl])
      expect(fetched).toContain(decodeURIComponent(new URL(link ?? '').pathname.slice(1)));
    for (const { requestId } of bundle.calls) expect(view.requestIds).toContain(requestId);
  });

  it('have the parameters that only VideoLivenessCompare takes', async () => {
    const video = { from: 'file', path: await rig.file('clip.mp4', sampleVideo({ card: 'match' })) } as const;
    const { resources, ...request } = await rig.request('video');
    const { id } = await rig.client.enqueue({
      ...request,
      action: 'VideoLivenessCompare',
      resources: { video, image: resources.image },
      liveness: { type: 'ACTION', validateData: '1,2' },
    });
    await rig.client.wait(id, { until: 'ended' });
    const [call] = (await rig.client.support(id))?.calls ?? [];
    expect(call).toMatchObject({
      api: 'VideoLivenessCompare',
      parameters: { LivenessType: 'ACTION', ValidateData: '1,2' },
    });
    expect(call?.parameters.VideoUrl).toContain(`${id}/0/video`);
  });

  it('include a call that failed before detect, and a call that was never answered', async () => {
    await rig.control.fault({ kind: 'error', action: 'CreateUploadUrl', code: 'InternalError', times: null });
    const deadline = new Date(Date.now() + 2_500).toISOString();
    const { bundle } = await bundleOf('refused', undefined, { upload: 'create-upload-url', deadline });
    const refused = callsTo(bundle, 'CreateUploadUrl').filter(({ code }) => code === 'InternalError');
    expect(refused.length).toBeGreaterThan(0);
    for (const { requestId } of refused) expect(requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(callsTo(bundle, DETECT)).toEqual([]);

    await rig.control.clearFaults();
    await rig.control.fault({ kind: 'drop', action: DETECT, object: rig.client.idOf('dropped') });
    const dropped = callsTo((await bundleOf('dropped')).bundle, DETECT);
    expect(dropped).toMatchObject([{ code: 'OUTCOME_UNKNOWN', requestId: null }, { code: 'Success' }]);
    expect(dropped[0]?.parameters).toEqual(dropped[1]?.parameters);
  });
});

it('contains no signature, and no key, path or object name of the caller', async () => {
  const request = await rig.request('maria-lopez');
  const { bucket } = rig;
  await rig.control.putObject(bucket, 'customers/maria-lopez.jpg', sampleImage('maria'));
  const image = { from: 'cos', bucket, region: 'ap-singapore', key: 'customers/maria-lopez.jpg' } as const;
  const { id } = await rig.client.enqueue({ ...request, resources: { ...request.resources, image } });
  expect(await rig.client.wait(id, { until: 'ended' })).toMatchObject({ state: 'completed' });
  const bundle = await rig.client.support(id);
  const text = JSON.stringify(bundle);
  expect(bundle?.calls[0]?.parameters.ImageUrl).toBe(`https://${bucket}.cos.ap-singapore.myqcloud.com/…`);
  expect(text).not.toMatch(/maria|lopez|q-sign|signature|\?|inputs|AKID/i);
});

it('is null for an unknown verification', async () => {
  expect(await rig.client.support('vnothing')).toBeNull();
});
