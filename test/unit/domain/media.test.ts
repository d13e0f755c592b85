/** Tests where the media of a session are stored, and of which type they are. */
import { describe, expect, it } from 'vitest';
import { MEDIA_NAMES } from '../../../src/domain/verification/flows.ts';
import { keptFiles, MEDIA_TYPES, mediumTarget, OTHER_MEDIA } from '../../../src/domain/verification/media.ts';
import type { FrameTarget } from '../../../src/domain/verification/request.ts';

const COS: FrameTarget = { to: 'cos', bucket: 'faces-1250000000', region: 'ap-singapore', key: 'out/a.b.jpeg' };

it.each([
  ['bestFrame', 'jpg', 'image/jpeg'],
  ['liveVideo', 'mp4', 'video/mp4'],
  ['actionVideo', 'mp4', 'video/mp4'],
  ['liveData', 'bin', 'application/octet-stream'],
  ['profileImage', 'jpg', 'image/jpeg'],
  ['cardImage', 'jpg', 'image/jpeg'],
  ['cardVideo', 'mp4', 'video/mp4'],
  ['ocr', 'json', 'application/json'],
] as const)('%s is stored with the ending %s, as %s', (name, ending, type) => {
  expect(MEDIA_TYPES[name]).toBe(type);
  const file = name === 'bestFrame' ? { to: 'file' } : { to: 'file', name: `v1.${name}.${ending}` };
  expect(mediumTarget('v1', { to: 'file' }, name)).toEqual(file);
});

it('every medium but the frame is another medium', () => {
  expect([...OTHER_MEDIA, 'bestFrame'].sort()).toEqual([...MEDIA_NAMES].sort());
});

describe('a medium lies beside the frame', () => {
  it.each<[string, FrameTarget, FrameTarget]>([
    ['in a bucket', COS, { ...COS, key: 'out/a.b.ocr.json' }],
    ['in a file with a name', { to: 'file', name: 'x/face.png' }, { to: 'file', name: 'x/face.ocr.json' }],
    ['in a file without an ending', { to: 'file', name: 'face' }, { to: 'file', name: 'face.ocr.json' }],
    [
      'in a file with a long ending',
      { to: 'file', name: 'face.123456789' },
      { to: 'file', name: 'face.123456789.ocr.json' },
    ],
    ['nowhere', { to: 'none' }, { to: 'none' }],
  ])('%s', (_, target, expected) => {
    expect(mediumTarget('v1', target, 'ocr')).toEqual(expected);
    expect(mediumTarget('v1', target, 'bestFrame')).toBe(target);
  });
});

it('what is kept is the frame, if there is one, and the media', () => {
  const [frame, video] = [
    { path: '/f/a.jpg', md5: 'a'.repeat(32), bytes: 1 },
    { path: '/f/a.liveVideo.mp4', md5: 'b'.repeat(32), bytes: 2 },
  ];
  expect(keptFiles({ stored: frame, media: [video] })).toEqual([frame, video]);
  expect(keptFiles({ stored: null, media: [video] })).toEqual([video]);
  expect(keptFiles({ stored: null, media: [] })).toEqual([]);
});
