/** Tests each kind of fault, and that the call log records a call before its answer arrives. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BUCKET, bytes, DETECT, type Lab, openLab, TEMPORARY, VIDEO } from './lab.ts';

let lab: Lab;
const target = { TargetAction: DETECT };
const [FACEID, COS] = [{ service: 'faceid' } as const, { service: 'cos' } as const];

beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.control.reset());
afterAll(() => lab.close());

describe('kinds', () => {
  it('error: answers an error once without executing the call', async () => {
    await lab.control.fault({ ...FACEID, kind: 'error', code: 'InternalError', message: 'try again' });
    const { error } = await lab.faceId('CreateUploadUrl', target);
    expect(error).toMatchObject({ code: 'InternalError', message: 'try again', requestId: expect.any(String) });
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();

    await lab.control.fault({ ...COS, kind: 'error', action: 'PutObject', code: 'AccessDenied', status: 403 });
    const put = await lab.cos('putObject', { Key: 'refused', Body: bytes('x') });
    expect(put.error).toMatchObject({ statusCode: 403, code: 'AccessDenied' });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('refused');

    await lab.control.putOrigin('https://files.example.com/a', Buffer.from('x'));
    await lab.control.fault({ service: 'origin', kind: 'error', code: 'Busy' });
    expect((await lab.http('GET', 'https://files.example.com/a')).status).toBe(503);
  });

  it('result: answers a Result that is billed as usual, and never applies to COS', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    await lab.control.fault({ kind: 'result', code: 'FailedOperation.CompareLowSimilarity', similarity: 12 });
    expect((await lab.cos('headBucket', {})).error).toBeUndefined();
    const { ok } = await lab.faceId(DETECT, inputs);
    expect(ok).toMatchObject({ Result: 'FailedOperation.CompareLowSimilarity', Sim: 12, BestFrameUrl: '' });
    const [call] = await lab.control.calls({ action: DETECT });
    expect(call).toMatchObject({ fault: 'result', code: 'FailedOperation.CompareLowSimilarity', billed: true });
  });

  it('shape: performs the call, then moves, removes and sets fields of its answer', async () => {
    const set = { 'BestFrame.Size': '17', 'New.Field': null };
    await lab.control.fault({ kind: 'shape', move: { 'BestFrame.Url': 'BestFrameUrl' }, remove: ['Description'], set });
    expect((await lab.cos('headBucket', {})).error).toBeUndefined();
    const { ok } = await lab.faceId(VIDEO, await lab.videoInputs({ card: 'match' }));
    expect(ok).toEqual({
      BestFrame: { MD5: expect.any(String), Size: '17' },
      BestFrameUrl: expect.stringMatching(/^https:/),
      Result: 'Success',
      Sim: 92.61,
      New: { Field: null },
      RequestId: expect.any(String),
    });
    expect(await lab.control.calls({ action: VIDEO })).toMatchObject([
      { fault: 'shape', code: 'Success', billed: true },
    ]);
  });

  it('status: answers an HTTP status as a gateway would', async () => {
    await lab.control.fault({ ...FACEID, kind: 'status', status: 502 });
    expect((await lab.faceId('CreateUploadUrl', target)).error).toMatchObject({ httpCode: 502 });
    const link = await lab.link('x');
    await lab.control.fault({ ...COS, kind: 'status', status: 503, retryAfterS: 7 });
    expect(await lab.http('GET', link)).toMatchObject({ status: 503, headers: { 'retry-after': '7' } });
    const calls = await lab.control.calls({});
    expect(calls.map(({ code, fault }) => [code, fault])).toEqual([
      ['HTTP 502', 'status'],
      ['HTTP 503', 'status'],
    ]);
  });

  it('delay: answers after the delay', async () => {
    await lab.control.fault({ ...FACEID, kind: 'delay', ms: 150 });
    const from = performance.now();
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
    expect(performance.now() - from).toBeGreaterThanOrEqual(149);
  });

  it('drop before: the call is not executed and never answered', async () => {
    await lab.control.fault({ ...COS, kind: 'drop', when: 'before', action: 'PutObject' });
    const link = await lab.link('dropped-before', { Method: 'PUT' });
    await expect(lab.http('PUT', link, { body: Buffer.from('x') })).rejects.toThrow();
    const [call] = await lab.control.calls({ action: 'PutObject' });
    expect(call).toMatchObject({ fault: 'drop', code: 'dropped', replied: false, billed: false });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('dropped-before');
  });

  it('drop after: the call is executed and billed but never answered', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    await lab.control.fault({ ...FACEID, kind: 'drop', action: DETECT });
    const { error } = await lab.faceId(DETECT, inputs);
    expect(error?.code ?? 'none').not.toMatch(/FailedOperation/);
    const [call] = await lab.control.calls({ action: DETECT });
    expect(call).toMatchObject({ fault: 'drop', code: 'Success', replied: false, billed: true });

    await lab.control.fault({ ...COS, kind: 'drop', action: 'GetObject' });
    await expect(lab.http('GET', inputs.ImageUrl)).rejects.toThrow();
  });

  it('cut: sends half of the answer', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    await lab.control.fault({ ...COS, kind: 'cut', action: 'GetObject' });
    await expect(lab.http('GET', inputs.ImageUrl)).rejects.toThrow();
    const [get] = await lab.control.calls({ action: 'GetObject' });
    expect(get).toMatchObject({ fault: 'cut', replied: false, code: 'OK' });

    await lab.control.fault({ ...FACEID, kind: 'cut', action: DETECT });
    // This SDK does not notice that the connection is closed: it waits for the rest of the answer until its timeout.
    const { error } = await lab.faceId(DETECT, inputs, { httpProfile: { reqTimeout: 1 } });
    expect(error).toMatchObject({ name: 'FetchError' });
    const [detect] = await lab.control.calls({ action: DETECT });
    expect(detect).toMatchObject({ fault: 'cut', replied: false, billed: true });
  });

  it('hold before: the call is not executed until it is released', async () => {
    const id = await lab.control.fault({ ...COS, kind: 'hold', action: 'PutObject', object: 'held' });
    const put = lab.cos('putObject', { Key: 'held', Body: bytes('x') });
    const [held] = await lab.control.waitFor({ event: 'held', object: `${BUCKET}/held` });
    expect(held).toMatchObject({ event: 'held', action: 'PutObject', fault: 'hold' });
    expect((await lab.control.objects()).map(({ key }) => key)).not.toContain('held');
    expect(await lab.control.calls({ action: 'PutObject' })).toEqual([]);
    await lab.control.release(id);
    expect((await put).ok).toMatchObject({ statusCode: 200 });
  });

  it('hold after: the call is executed and logged, and answered when released', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    const id = await lab.control.fault({ ...FACEID, kind: 'hold', when: 'after', action: DETECT });
    const detect = lab.faceId(DETECT, inputs);
    await lab.control.waitFor({ event: 'held' });
    expect(await lab.control.calls({ action: DETECT, billed: true })).toHaveLength(1);
    await lab.control.release(id);
    expect((await detect).ok).toMatchObject({ Result: 'Success' });
  });
});

describe('matching', () => {
  it('applies the given number of times to calls that match service, action, region and object', async () => {
    const all = { ...COS, action: 'HeadObject', region: 'ap-singapore', object: 'match' };
    await lab.control.fault({ ...all, kind: 'error', code: 'X', status: 400, times: 2 });
    const codes = [];
    for (const Key of ['other', 'match-1', 'match-2', 'match-3']) {
      codes.push((await lab.cos('headObject', { Key })).error?.code);
    }
    expect(codes).toEqual(['404', '400', '400', '404']);
  });

  it('applies to all calls until cleared', async () => {
    await lab.control.fault({ ...FACEID, kind: 'error', code: 'InternalError', times: null });
    for (let call = 0; call < 3; call += 1) {
      expect((await lab.faceId('CreateUploadUrl', target)).error?.code).toBe('InternalError');
    }
    await lab.control.clearFaults();
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('applies to a share of the calls', async () => {
    await lab.control.fault({ ...FACEID, kind: 'error', code: 'InternalError', times: null, share: 0 });
    expect((await lab.faceId('CreateUploadUrl', target)).error).toBeUndefined();
  });

  it('matches the object of a link, even an unsigned or malformed one', async () => {
    await lab.control.fault({ ...FACEID, kind: 'error', code: 'Chosen', object: `${BUCKET}/inputs/chosen` });
    const url = `https://${BUCKET}.cos.ap-singapore.myqcloud.com/inputs/chosen%2`;
    const inputs = { ...(await lab.inputs({ card: 'match' })), ImageUrl: url };
    expect((await lab.faceId(DETECT, inputs)).error?.code).toBe('Chosen');
  });
});

describe('the call log', () => {
  it('is written before the answer arrives', async () => {
    for (let call = 0; call < 20; call += 1) {
      const { ok } = await lab.faceId('CreateUploadUrl', target);
      const found = (await lab.logged()).find(({ requestId }) => requestId === ok?.RequestId);
      expect(found).toMatchObject({ event: 'call', code: 'Success', billed: false, status: 200 });
    }
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => lab.cos('putObject', { Key: `many/${n}`, Body: bytes('x') })),
    );
    const puts = (await lab.logged()).filter(({ objects }) => objects?.[0]?.startsWith(`${BUCKET}/many/`));
    expect(puts).toHaveLength(30);
  });

  it('numbers its lines from the start of the emulator, even after a reset', async () => {
    await lab.control.reset();
    await lab.faceId('CreateUploadUrl', target);
    const numbers = (await lab.logged()).map(({ seq }) => seq);
    expect(numbers).toEqual(numbers.map((_, at) => at + 1));
    expect(await lab.control.calls()).toHaveLength(1);
  });

  it('has calls that arrived before a reset in the file only', async () => {
    await lab.control.fault({ ...FACEID, kind: 'hold', action: 'CreateUploadUrl' });
    const call = lab.faceId('CreateUploadUrl', target);
    await lab.control.waitFor({ event: 'held' });
    await lab.control.reset();
    const { ok } = await call;
    expect((await lab.logged()).map(({ requestId }) => requestId)).toContain(ok?.RequestId);
    expect(await lab.control.calls()).toEqual([]);
  });

  it('contains no signature, secret or link', async () => {
    const inputs = await lab.inputs({ card: 'match' });
    await lab.faceId(DETECT, inputs);
    await lab.faceId(DETECT, inputs, { signMethod: 'HmacSHA256', credential: TEMPORARY });
    await lab.faceId(DETECT, { ...inputs, ImageUrl: 'https://example.com/a?token=session' });
    await lab.http('GET', inputs.ImageUrl);
    await lab.cos('headObject', { Key: 'x' }, { credential: TEMPORARY });
    const text = JSON.stringify(await lab.logged());
    expect(text).not.toMatch(/https?:|q-sign|q-ak|signature|secret|AKID|token/i);
    expect(text).toContain('example.com/a');
  });
});

it('ends held and delayed calls when it closes, and closes once', async () => {
  const own = await openLab();
  await own.control.fault({ ...COS, kind: 'hold', when: 'before', action: 'PutObject' });
  await own.control.fault({ ...FACEID, kind: 'delay', ms: 3_600_000 });
  const link = await own.link('x', { Method: 'PUT' });
  const failures = Promise.all([
    expect(own.http('PUT', link, { body: Buffer.from('x') })).rejects.toThrow(),
    own.faceId('CreateUploadUrl', target).then(({ error }) => expect(error).toBeDefined()),
  ]);
  await own.control.waitFor({ event: 'held' });
  await Promise.all([own.emulator.close(), own.emulator.close()]);
  await failures;
  await own.close();
});
