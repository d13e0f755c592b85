/** Valid requests that tests vary. */
import type { VerificationRequest } from '../../../src/domain/verification/request.ts';

export const NOW = Date.parse('2030-01-01T00:00:00Z');

const image = { from: 'https', url: 'https://photos.example/p/1.jpg' } as const;

export const REFLECT: VerificationRequest = {
  key: 'order-1',
  region: 'ap-singapore',
  upload: 'own-bucket',
  resources: { liveData: { from: 'file', path: '/in/live.gz' }, image },
};

export const VIDEO: VerificationRequest = {
  ...REFLECT,
  action: 'VideoLivenessCompare',
  resources: { video: { from: 'file', path: '/in/video.mp4' }, image },
  liveness: { type: 'SILENT' },
};

export function withResources(more: object, request: VerificationRequest = REFLECT): object {
  return { ...request, resources: { ...request.resources, ...more } };
}
