/** Tests the table of actions and the small rules around it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  ACTION_NAMES,
  ACTIONS,
  type ActionName,
  CHECK_NAMES,
  callsPerSecond,
  defaultQps,
  GATED_ACTIONS,
  isResultCall,
  isUploaded,
  objectNames,
  placesOf,
  regionsOf,
  resourcesOf,
  SEQUENCE,
} from '../../../src/domain/verification/actions.ts';
import { modeMismatch } from '../../../src/domain/verification/mode.ts';
import { TENANT_PATTERN, WEBHOOK_NAME_PATTERN } from '../../../src/domain/verification/names.ts';
import { frameWithoutDownload } from '../../../src/domain/verification/outcomes.ts';
import { REGIONS } from '../../../src/domain/verification/regions.ts';
import { sourceIdentity, urlProblem } from '../../../src/domain/verification/sources.ts';
import { bytesBeforeBase64 } from '../../../src/domain/verification/vendor-calls.ts';

const MIB = 1024 * 1024;

it('an action takes its resources in the order of the vendor’s parameters', () => {
  expect(resourcesOf('DetectReflectLivenessAndCompare').map(([name, rule]) => [name, rule.maxBytes])).toEqual([
    ['liveData', 64 * MIB],
    ['image', 10 * MIB],
  ]);
  // Tencent's limits are for Base64, four characters for three bytes.
  for (const action of ['VideoLivenessCompare', 'CompareFaceLiveness'] as const)
    expect(resourcesOf(action).map(([name, rule]) => [name, rule.maxBytes])).toEqual([
      ['video', 6 * MIB],
      ['image', 2.25 * MIB],
    ]);
  expect(bytesBeforeBase64(4)).toBe(3);
  expect(CHECK_NAMES.map((name) => ACTIONS[name].livenessTypes)).toEqual([
    [],
    ['LIP', 'ACTION', 'SILENT'],
    ['ACTION', 'SILENT'],
  ]);
  expect(CHECK_NAMES.map(isUploaded)).toEqual([true, true, false]);
});

it('an action that takes links has an object for each resource, and a sequence has one for its device data', () => {
  const named = GATED_ACTIONS.map(objectNames).filter((names) => names.length > 0);
  expect(named).toEqual([['liveData', 'image'], ['video', 'image'], ['deviceData']]);
  expect([SEQUENCE.maxBytes, SEQUENCE.maxSequenceBytes]).toEqual([MIB, MIB]);
});

it('the rate limit is the configured one for the region, or else Tencent’s', () => {
  const limits = { VideoLivenessCompare: { 'ap-singapore': 3 } };
  expect(callsPerSecond(limits, 'ap-singapore', 'VideoLivenessCompare')).toBe(3);
  expect(callsPerSecond(limits, 'ap-bangkok', 'VideoLivenessCompare')).toBe(20);
  expect(callsPerSecond(limits, 'ap-singapore', 'DetectReflectLivenessAndCompare')).toBe(5);
  expect(defaultQps('CreateUploadUrl')).toBe(20);
});

it('a call has a gate in each region that serves it, and in no other', () => {
  const places = placesOf(GATED_ACTIONS);
  for (const region of REGIONS) {
    const served = places.filter((place) => place.region === region).map(({ action }) => action);
    expect(served).toEqual(GATED_ACTIONS.filter((call) => regionsOf(call).includes(region)));
  }
  const inSaoPaulo = places.filter(({ region }) => region === 'sa-saopaulo').map(({ action }) => action);
  expect(inSaoPaulo.filter((call) => !isResultCall(call))).toEqual([
    'ApplySdkVerificationToken',
    'GetFaceIdTokenIntl',
    'ApplyWebVerificationBizTokenIntl',
    'DetectAIFakeFaces',
  ]);
});

it('the page about flows lists the regions of each action', () => {
  const page = readFileSync(new URL('../../../docs/flows.md', import.meta.url), 'utf8');
  const [, table = ''] = /## Regions\n[\s\S]*?\n((?:\|.*\n)+)/.exec(page) ?? [];
  const [head = [], , ...rows] = table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(head.slice(1).map((cell) => cell.replaceAll('`', ''))).toEqual([...REGIONS]);
  const listed = rows.flatMap(([call = '', ...cells]) => [
    [call.replaceAll('`', ''), REGIONS.filter((_, index) => cells[index] === 'yes')] as const,
  ]);
  const sorted = (call: ActionName) => REGIONS.filter((region) => regionsOf(call).includes(region));
  expect(listed).toEqual(ACTION_NAMES.map((action) => [action, sorted(action)]));
});

it('a name that an operator gives has letters, digits and inner hyphens', () => {
  for (const pattern of [TENANT_PATTERN, WEBHOOK_NAME_PATTERN]) {
    for (const name of ['a', '0', 'ab', 'shop-1', 'a--b', 'a'.repeat(40)]) expect(name).toMatch(pattern);
    for (const name of ['', '-a', 'a-', 'A', 'a_b', 'a b', 'ä', 'a'.repeat(41), 'a\n'])
      expect(name).not.toMatch(pattern);
  }
});

it('a different mode is a fault of the caller', () => {
  expect(modeMismatch('live', 'test')).toMatchObject({
    code: 'MODE_MISMATCH',
    field: 'mode',
    message: 'the mode is live, and this deployment runs in mode test: nothing was uploaded or paid',
  });
});

it('a frame that is hidden in an answer has a state of its own', () => {
  expect(frameWithoutDownload({ frameHidden: true })).toBe('unknown_shape');
  expect(frameWithoutDownload({})).toBe('none');
});

it('a source is the same at the same place, whatever the signature of its URL', () => {
  const identities = [
    { from: 'file', path: '/a' },
    { from: 'https', url: 'https://h.example:8443/a?sign=1#x' },
    { from: 'https', url: 'not a URL' },
    { from: 'cos', region: 'ap-singapore', bucket: 'b-125000', key: 'k' },
  ] as const;
  expect(identities.map(sourceIdentity)).toEqual([
    'file:/a',
    'https:h.example:8443/a',
    'https:not a URL',
    'cos:ap-singapore/b-125000/k',
  ]);
});

it.each([
  ['https://a.example', null],
  ['a.example', 'is not a URL: write it in full, starting with https://'],
  ['ftp://a.example', 'is ftp, not https: use an https URL'],
  ['https://u@a.example', 'has a user name or password: use a signed link instead'],
  ['https://:p@a.example', 'has a user name or password: use a signed link instead'],
])('the URL %s: %s', (text, problem) => {
  expect(urlProblem(text)).toBe(problem);
});
