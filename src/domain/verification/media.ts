/** Where the media of a session are stored: beside the frame, under its name with the name of the medium. */
import type { MediaName } from './flows.ts';
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
