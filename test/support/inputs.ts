/** Writes sample input files below a file root, and builds requests that name them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VerificationRequest } from '../../src/domain/verification/request.ts';
import { type SampleOptions, sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';

export type MakeRequest = (
  key: string,
  sample?: SampleOptions,
  more?: Partial<VerificationRequest>,
) => Promise<VerificationRequest>;

/** @param dir a folder below a file root. */
export function requestsIn(dir: string, always: Partial<VerificationRequest> = {}): MakeRequest {
  return async (key, sample = { card: 'match' }, more = {}) => {
    const liveData = join(dir, `${key}-live.gz`);
    const image = join(dir, `${key}-photo.jpg`);
    await writeFile(liveData, sampleLiveData({ nonce: key, ...sample }));
    await writeFile(image, sampleImage(key));
    return {
      key,
      region: 'ap-singapore',
      upload: 'own-bucket',
      resources: { liveData: { from: 'file', path: liveData }, image: { from: 'file', path: image } },
      ...always,
      ...more,
    };
  };
}
