/**
 * Tests that docs/emulator.md lists the actual cards, routes, settings and faults, and that the shell commands on the
 * page work.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CARDS } from '../../../src/emulator/cards.ts';
import { faultSchema } from '../../../src/emulator/faults.ts';
import { playStepSchema } from '../../../src/emulator/play-step.ts';
import { DEFAULT_BUCKETS, DEFAULT_CREDENTIALS, DEFAULT_SETTINGS } from '../../../src/emulator/settings.ts';
import { DETECT, type Lab, openLab, SEQUENCE, VIDEO } from './lab.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const text = readFileSync(join(ROOT, 'docs', 'emulator.md'), 'utf8');

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab.close());

/** Returns the cells of a table's rows without the header row. */
function readTable(head: string): string[][] {
  const from = text.indexOf(`${head}\n`);
  if (from < 0) throw new Error(`no table ${head}`);
  const [rows = ''] = text.slice(from).split('\n\n', 1);
  const lines = rows.split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

it('lists the test cards', () => {
  const cards = Object.entries(CARDS).map(([name, { result, sessionCode, similarity, description }]) => [
    name,
    result,
    sessionCode,
    String(similarity),
    description,
  ]);
  expect(readTable('| card | Result | session | Sim | |')).toEqual(cards);
});

it('lists the routes of the control port with an example of each', async () => {
  const reply = (await (await fetch(`${lab.emulator.controlUrl}/nothing`)).json()) as { error: string };
  const routes = (reply.error.split('use one of ')[1] ?? '').split(', ');
  const listed = readTable('| route | |').map(([route]) => route);
  expect(listed).toEqual(routes);
  for (const route of routes) expect(text).toContain(`localhost:7081${route.split(' ')[1]}`);
});

it('lists the settings', () => {
  expect(readTable('| setting | default | |').map(([name]) => name)).toEqual(Object.keys(DEFAULT_SETTINGS));
});

it('lists the kinds of faults', () => {
  const kinds = faultSchema.options.map(({ shape }) => shape.kind.value);
  expect(readTable('| kind | |').map(([kind]) => kind)).toEqual(kinds);
});

it('lists the steps of a session', () => {
  const steps = playStepSchema.options.map(({ shape }) => shape.step.value);
  expect(readTable('| step | |').map(([step]) => step)).toEqual(steps);
});

it('names the default credentials and bucket', () => {
  const { secretId, secretKey } = DEFAULT_CREDENTIALS;
  for (const word of [secretId, secretKey, `ap-singapore=${DEFAULT_BUCKETS[0]?.name}`]) expect(text).toContain(word);
});

it('has shell commands that create working test cards', async () => {
  const lines = text.split('\n').filter((line) => line.startsWith('{ printf '));
  expect(lines).toHaveLength(3);
  const dir = mkdtempSync(join(ROOT, '.bestframe', 'document-'));
  execFileSync('sh', ['-e', '-c', lines.join('\n')], { cwd: dir });
  const [live, video, device] = ['spoof.gz', 'spoof.mp4', 'device.txt'].map((name) => readFileSync(join(dir, name)));
  rmSync(dir, { recursive: true });
  const spoof = { Result: CARDS.spoof?.result };
  const match = { card: 'match' };
  const detect = await lab.faceId(DETECT, await lab.inputs(match, { package: live as Buffer }));
  expect(detect.ok).toMatchObject(spoof);
  const compare = await lab.faceId(VIDEO, await lab.videoInputs(match, { package: video as Buffer }));
  expect(compare.ok).toMatchObject(spoof);
  const sequence = await lab.faceId(SEQUENCE, await lab.deviceInputs(match, { package: device as Buffer }));
  expect(sequence.error).toMatchObject({ code: 'InternalError' });
});
