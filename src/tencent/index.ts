/** Tencent's FaceID, and the keys to it. Loaded by workers only: the SDK costs memory and start-up time. */
export { createFaceId, type FaceIdClient, type Inspected } from './face-id.ts';
