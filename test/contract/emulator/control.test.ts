/** Tests the control port as scripts use it: the input, output and error messages of each route. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CARDS } from '../../../src/emulator/cards.ts';
import { BUCKET, DETECT, type Lab, openLab } from './lab.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

async function send(method: string, path: string, body?: string) {
  const content = body === undefined ? {} : { body };
  const response = await fetch(`${lab.emulator.controlUrl}${path}`, { method, ...content });
  return { status: response.status, value: (await response.json()) as { error?: string; [name: string]: unknown } };
}

describe('routes', () => {
  it('GET /health reports that the emulator runs', async () => {
    expect(await send('GET', '/health')).toEqual({ status: 200, value: { ok: true } });
  });

  it('GET /settings reads the settings, and PATCH /settings keeps those that it does not name', async () => {
    const { value: before } = await send('GET', '/settings');
    const { value: after } = await send('PATCH', '/settings', '{"qps":{"CreateUploadUrl":7},"linkTtlMs":1000}');
    expect(after).toEqual({ ...before, qps: { CreateUploadUrl: 7 }, linkTtlMs: 1000 });
    expect((await send('PATCH', '/settings', '{}')).value).toEqual(after);
    await lab.control.reset();
    expect((await send('GET', '/settings')).value).toEqual(before);
  });

  it('GET /sessions lists sessions, and POST /sessions/play takes their steps', async () => {
    const parameters = { RedirectURL: 'https://shop.example.com/done?order=7' };
    const { ok } = await lab.faceId('ApplyWebVerificationBizTokenIntl', parameters);
    const token = String(ok?.BizToken);
    expect(ok?.VerificationURL).toContain(token);
    const waiting = {
      id: expect.any(String),
      token,
      action: 'ApplyWebVerificationBizTokenIntl',
      region: 'ap-singapore',
      createdAt: expect.any(Number),
      state: 'waiting',
      end: null,
      codes: [],
      retryLimit: 99,
      chargeCount: 0,
      redirect: `https://shop.example.com/done?order=7&token=${token}`,
    };
    expect((await send('GET', '/sessions')).value).toEqual([waiting]);
    const { value } = await send('POST', '/sessions/play', JSON.stringify({ token, step: 'finish', card: 'match' }));
    expect(value).toEqual({ ...waiting, state: 'over', end: 'attempt', codes: ['0'], chargeCount: 1 });
    await lab.control.reset();
    expect((await send('GET', '/sessions')).value).toEqual([]);
  });

  it('GET /phone has a button for each card and step, and POST /phone does what the buttons say', async () => {
    const phone = `${lab.emulator.controlUrl}/phone`;
    const startSession = async (action: string, parameters: object) => {
      const { ok } = await lab.faceId(action, parameters);
      return String(ok?.SdkToken ?? ok?.BizToken);
    };
    const press = (token: string, more: Record<string, string>) =>
      fetch(phone, { method: 'POST', body: new URLSearchParams({ token, ...more }), redirect: 'manual' });
    const app = await startSession('ApplyLivenessToken', {});
    const web = await startSession('ApplyWebVerificationBizTokenIntl', {
      RedirectURL: 'https://shop.example.com/a?b=1',
    });
    const page = await fetch(phone);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const html = await page.text();
    for (const text of [app, web, ...Object.keys(CARDS), 'exhaust', 'leave', 'timeout']) expect(html).toContain(text);
    expect(await (await fetch(`${phone}?token=${app}`)).text()).not.toContain(web);

    const opened = await press(app, { step: 'start' });
    expect([opened.status, opened.headers.get('location')]).toEqual([303, `/phone?token=${app}`]);
    expect((await press(app, { step: 'finish', card: 'badLight' })).headers.get('location')).toBe(
      `/phone?token=${app}`,
    );
    expect(await (await fetch(`${phone}?token=${app}`)).text()).toContain('over · attempt · codes 1201');
    const left = await press(web, { step: 'leave' });
    expect(left.headers.get('location')).toBe(`https://shop.example.com/a?b=1&token=${web}`);
    expect((await press(web, { step: 'finish' })).status).toBe(400);
    await lab.control.reset();
  });

  it('POST /faults adds a fault, POST /faults/release releases it, and DELETE /faults clears all', async () => {
    const { value } = await send('POST', '/faults', '{"kind":"drop"}');
    expect(value).toEqual({ id: expect.any(String) });
    expect((await send('POST', `/faults/release?id=${value.id}`)).value).toEqual({ released: true });
    expect((await send('DELETE', '/faults')).value).toEqual({ cleared: true });
    expect(await send('POST', `/faults/release?id=${value.id}`)).toMatchObject({ status: 400 });
  });

  it('GET /calls filters calls and can wait for a number of calls', async () => {
    await lab.control.reset();
    const waiting = lab.control.waitFor({ action: 'CreateUploadUrl', code: 'Success' }, 2);
    await lab.faceId('CreateUploadUrl', { TargetAction: DETECT });
    await lab.faceId('CreateUploadUrl', { TargetAction: DETECT });
    expect(await waiting).toHaveLength(2);
    const timedOut = await send('GET', '/calls?action=Nothing&atLeast=1&timeoutMs=1');
    expect(timedOut).toEqual({ status: 200, value: [] });
    await expect(lab.control.waitFor({ action: 'Nothing' }, 1, 1)).rejects.toThrow('only 0 of 1 calls arrived');
    expect(await lab.control.calls({ billed: true })).toEqual([]);
    expect(await lab.control.calls({ service: 'faceid', billed: false })).toHaveLength(2);
  });

  it('PUT /objects stores objects and GET /objects lists them', async () => {
    const { md5 } = await lab.control.putObject(BUCKET, 'a/b', Buffer.from('x'));
    expect(await lab.control.objects()).toContainEqual({ bucket: BUCKET, key: 'a/b', sizeBytes: 1, md5 });
  });

  it('PUT /origins publishes a page', async () => {
    await lab.control.putOrigin('https://files.example.com/a', Buffer.from('x'));
    expect((await lab.http('GET', 'https://files.example.com/a')).body.toString()).toBe('x');
  });

  it('POST /reset clears faults, origins, settings and logged calls, and keeps objects and the log file', async () => {
    await lab.control.putOrigin('https://files.example.com/a', Buffer.from('x'));
    expect((await lab.http('GET', 'https://files.example.com/a')).status).toBe(200); // opens a tunnel, which stays
    await lab.control.settings({ accountError: 'X' });
    await lab.control.putObject(BUCKET, 'kept', Buffer.from('x'));
    await lab.control.fault({ kind: 'drop', times: null });
    const lines = (await lab.logged()).length;
    const objects = await lab.control.objects();
    expect(await send('POST', '/reset')).toEqual({ status: 200, value: { reset: true } });
    expect(await lab.control.calls()).toEqual([]);
    expect((await lab.faceId('CreateUploadUrl', { TargetAction: DETECT })).error).toBeUndefined();
    expect((await lab.http('GET', 'https://files.example.com/a')).status).toBe(502);
    expect(objects).toContainEqual(expect.objectContaining({ bucket: BUCKET, key: 'kept' }));
    expect(await lab.control.objects()).toEqual(objects);
    expect((await lab.logged()).length).toBe(lines + 1);
  });
});

describe('bad input', () => {
  it.each([
    ['PATCH', '/settings', '{"linkTtlMs":"long"}', 'linkTtlMs: Invalid input: expected number, received string'],
    ['PATCH', '/settings', '{"linkTtl":5}', 'Unrecognized key: "linkTtl"'],
    ['PATCH', '/settings', '{"qps":{"CreateUploadUrl":-1}}', 'qps: CreateUploadUrl: Too small'],
    ['PATCH', '/settings', 'null', 'expected object, received null'],
    ['PATCH', '/settings', '{', 'the body is not JSON: send a JSON object'],
    ['POST', '/faults', '{"kind":"explode"}', 'kind: Invalid'],
    ['POST', '/faults', '{"kind":"error"}', 'code: Invalid input: expected string'],
    ['POST', '/faults', '{"kind":"status","status":99}', 'status: Too small'],
    ['POST', '/faults', '{"kind":"delay"}', 'ms: Invalid input: expected number'],
    ['POST', '/faults', '{"kind":"hold","when":"now"}', 'when: Invalid option'],
    ['POST', '/faults', '{"kind":"drop","times":0}', 'times: Too small'],
    ['POST', '/faults', '{"kind":"drop","share":2}', 'share: Too big'],
    ['POST', '/faults', '{"kind":"drop","acton":"PutObject"}', 'Unrecognized key: "acton"'],
    ['POST', '/faults', 'null', 'expected object'],
    ['POST', '/faults/release', undefined, 'id: Invalid input'],
    ['POST', '/faults/release?id=x', undefined, 'there is no fault x'],
    ['POST', '/sessions/play', '{"token":"x","step":"finish"}', 'there is no session with this token'],
    ['POST', '/sessions/play', '{"token":"x","step":"win"}', 'step: Invalid'],
    ['POST', '/sessions/play', '{"token":"x","step":"leave","card":"match"}', 'Unrecognized key: "card"'],
    [
      'POST',
      '/sessions/play',
      '{"token":"x","step":"finish","card":"spoofed"}',
      'card: use a test card or a result code',
    ],
    ['GET', '/calls?atLeast=many', undefined, 'atLeast: Invalid input'],
    ['GET', '/calls?timeoutMs=999999', undefined, 'timeoutMs: Too big'],
    ['GET', '/calls?acton=PutObject', undefined, 'Unrecognized key: "acton"'],
    ['GET', '/calls?billed=maybe', undefined, 'billed: Invalid option'],
    ['PUT', '/objects?key=x', 'x', 'bucket: Invalid input'],
    ['PUT', '/objects?bucket=nobody-1&key=x', 'x', 'there is no bucket nobody-1: use one of bestframe-dev-1250000000'],
    ['PUT', '/origins?url=files', 'x', 'url: Invalid URL'],
    ['PUT', '/origins?url=https://a.example.com/&status=9', 'x', 'status: Too small'],
  ])('%s %s %s', async (method, path, body, message) => {
    const { status, value } = await send(method, path, body);
    expect(status).toBe(400);
    expect(value.error).toContain(message);
  });

  it('lists the valid routes if the route is unknown', async () => {
    const { status, value } = await send('GET', '/nothing');
    expect(status).toBe(404);
    expect(value.error).toContain('POST /faults/release');
  });
});
