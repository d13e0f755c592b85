/** Tencent's FaceID, and the keys to it. Loaded by workers only: the SDK costs memory and start-up time. */
export { type CredentialsProvider, fileCredentials, staticCredentials } from './credentials.ts';
export { createFaceId, type FaceIdClient, type Inspected } from './face-id.ts';
