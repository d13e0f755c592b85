/**
 * Tests `doctor --live --tape` against the emulator. Then tests `emulator --compare` with the emulator's own tape, and with tapes
 * whose answers differ from the emulator's.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { recordTape } from '../../src/app/doctor/diagnose.ts';
import type { Tape } from '../../src/app/doctor/tape.ts';
import { openDoctorTools } from '../../src/app/doctor-tools.ts';
import { emulatorCommand } from '../../src/cli/local/emulator.ts';
import { createRig, type Rig } from '../support/rig.ts';

let rig: Rig;
let path: string;

beforeAll(async () => {
  rig = await createRig();
  path = join(rig.dir, 'tape.json');
});
afterEach(async () => {
  await rig.control.reset();
  process.exitCode = undefined;
});
afterAll(() => rig.dispose());

async function record(): Promise<Tape> {
  const tools = openDoctorTools(rig.config);
  try {
    const tape = await recordTape(rig.config, tools);
    await writeFile(path, JSON.stringify(tape));
    return tape;
  } finally {
    await tools.close();
  }
}

/** Runs `bestframe emulator --compare`. @returns what it prints as JSON, and its exit code. */
async function compare(file = path) {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await emulatorCommand({}).parseAsync(['--compare', file, '--json'], { from: 'user' });
    const printed = write.mock.calls.map(([text]) => String(text)).find((text) => text.startsWith('{'));
    return { ...JSON.parse(printed ?? 'null'), exitCode: process.exitCode };
  } finally {
    write.mockRestore();
  }
}

describe('a tape', () => {
  it('of the emulator equals the emulator', async () => {
    const { calls } = await record();
    expect(calls.map(({ step }) => step)).toEqual([
      ...Array(5).fill('live.create-upload-url'),
      ...Array(5).fill('live.put'),
      ...Array(5).fill('live.get'),
      'live.detect',
      'live.video',
      'live.sequence',
    ]);
    expect(calls.slice(-3)).toMatchObject(
      Array(3).fill({
        status: 200,
        body: { 'Error.Code': 'InvalidParameterValue', 'Error.Message': 'MD5 Error', RequestId: 'uuid' },
      }),
    );
    expect(await compare()).toEqual({ ok: true, differences: [], exitCode: undefined });
    expect(await rig.control.calls({ billed: true })).toEqual([]);
  });

  it('contains no key, signature, link or id', async () => {
    await rig.control.fault({
      kind: 'error',
      action: 'VideoLivenessCompare',
      code: 'UnauthorizedOperation',
      message: 'AKIDsecret of qcs::faceid:ap-singapore:uin/100000000001:x may not, see https://a.example/?q-ak=AKIDx',
    });
    await record();
    const text = await readFile(path, 'utf8');
    const { secretId, secretKey, appId } = rig.emulator.credentials;
    expect(text).toContain('faceid-resource-sg-<digits>.cos.ap-singapore.myqcloud.com');
    for (const secret of [secretId, secretKey, appId, 'AKID', '1251001002', '100000000001', 'a.example', rig.dir])
      expect(text).not.toContain(secret);
    for (const { requestId = 'none' } of await rig.control.calls()) expect(text).not.toContain(requestId);
    expect(text).not.toMatch(/q-signature=|[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-/);
  });

  it.each([
    ['CreateUploadUrl', { set: { Extra: 'x' } }, 'live.create-upload-url#2', 'body.Extra', 'text', '(absent)'],
    [
      'CreateUploadUrl',
      { remove: ['ExpiredTimestamp'] },
      'live.create-upload-url#1',
      'body.ExpiredTimestamp',
      '(absent)',
      'whole number',
    ],
    [
      'DetectReflectLivenessAndCompare',
      { set: { 'Error.Message': 'md5 wrong' } },
      'live.detect#1',
      'body.Error.Message',
      'md5 wrong',
      'MD5 Error',
    ],
    ['VideoLivenessCompare', { set: { RequestId: 'no-uuid' } }, 'live.video#1', 'body.RequestId', 'text', 'uuid'],
    [
      'GenerateReflectSequence',
      { move: { Error: 'Err' } },
      'live.sequence#1',
      'body.Err.Code',
      'InvalidParameterValue',
      '(absent)',
    ],
  ])('of another shape of %s %j differs', async (action, change, step, where, tape, emulator) => {
    await rig.control.fault({ kind: 'shape', action, times: null, ...change });
    await record();
    const { ok, differences, exitCode } = await compare();
    expect({ ok, exitCode }).toEqual({ ok: false, exitCode: 1 });
    expect(differences).toContainEqual({ step, where, tape, emulator });
  });

  it('with another status, or without a call, differs', async () => {
    await rig.control.fault({ kind: 'status', action: 'GenerateReflectSequence', status: 502 });
    const tape = await record();
    expect((await compare()).differences).toContainEqual({
      step: 'live.sequence#1',
      where: 'status',
      tape: '502',
      emulator: '200',
    });
    await writeFile(path, JSON.stringify({ ...tape, calls: tape.calls.slice(0, -1) }));
    expect((await compare()).differences).toEqual([
      { step: 'live.sequence#1', where: 'call', tape: '(absent)', emulator: 'GenerateReflectSequence' },
    ]);
  });

  it.each([
    ['{', 'the file is not as in a tape'],
    ['{"format":2,"region":"ap-singapore","calls":[]}', 'format is not as in a tape'],
    ['{"format":1,"region":"ap-singapore","calls":[{}]}', 'calls.0.step is not as in a tape'],
  ])('is refused if it is %s', async (text, problem) => {
    await writeFile(path, text);
    await expect(compare()).rejects.toMatchObject({
      code: 'INVALID_TAPE',
      message: expect.stringContaining(problem),
    });
  });
});
