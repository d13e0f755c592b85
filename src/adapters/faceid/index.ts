/** Tencent's FaceID. Only workers load it: the SDK costs memory and start-up time. */
export { createFaceId, type FaceIdClient, type Inspection } from './face-id.ts';
