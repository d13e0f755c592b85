/** The media of a session: their types, and where they are stored: beside the frame, under its name with the name of the medium. */
import { MEDIA_NAMES, type MediaName } from './flows.ts';
import type { StoredFrame } from './outcomes.ts';
import type { FrameTarget } from './request.ts';

const ENDINGS: Readonly<Record<MediaName, string>> = {
  bestFrame: 'jpg',
  liveVideo: 'mp4',
  actionVideo: 'mp4',
  liveData: 'bin',
  profileImage: 'jpg',
  cardImage: 'jpg',
  cardVideo: 'mp4',
  ocr: 'json',
};

/** Content type of each medium. `liveData` is in a format of Tencent's own. */
export const MEDIA_TYPES = {
  bestFrame: 'image/jpeg',
  liveVideo: 'video/mp4',
  actionVideo: 'video/mp4',
  liveData: 'application/octet-stream',
  profileImage: 'image/jpeg',
  cardImage: 'image/jpeg',
  cardVideo: 'video/mp4',
  ocr: 'application/json',
} as const satisfies Readonly<Record<MediaName, string>>;

/** The media besides the frame, which has a place of its own in every verification. */
export type OtherMedium = Exclude<MediaName, 'bestFrame'>;
export const OTHER_MEDIA = MEDIA_NAMES.filter((name): name is OtherMedium => name !== 'bestFrame');

/** The place of a medium. @param target the place of the frame. */
export function mediumTarget(id: string, target: FrameTarget, name: MediaName): FrameTarget {
  if (name === 'bestFrame' || target.to === 'none') return target;
  const beside = (frame: string) => `${frame.replace(/\.[A-Za-z0-9]{1,8}$/, '')}.${name}.${ENDINGS[name]}`;
  return target.to === 'file'
    ? { to: 'file', name: beside(target.name ?? `${id}.jpg`) }
    : { ...target, key: beside(target.key) };
}

/** Everything that was stored for a verification: its frame, and the media of a session, which may have no frame. */
export function keptFiles(record: {
  readonly stored: StoredFrame | null;
  readonly media: readonly StoredFrame[];
}): readonly StoredFrame[] {
  return record.stored === null ? record.media : [record.stored, ...record.media];
}
