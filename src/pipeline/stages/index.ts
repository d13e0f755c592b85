/** The stages of all plans. */
import { collect } from './collect.ts';
import { detect } from './detect.ts';
import { download } from './download.ts';
import { md5 } from './md5.ts';
import { start } from './start.ts';
import { upload } from './upload.ts';

export const stages = { upload, md5, detect, start, collect, download } as const;
export type { Edges, StageContext, StageInput } from './context.ts';
export { hasFrameToFetch } from './download.ts';
export { accusesAccount, concerning } from './evidence.ts';
export { sequence } from './sequence.ts';
export { closeResources, type OpenedResource, openResources } from './upload.ts';
