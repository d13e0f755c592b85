/** The stages of all plans. */
import { collect } from './collect.ts';
import { detect, detectFiles } from './detect.ts';
import { download } from './download.ts';
import { md5 } from './md5.ts';
import { opinion } from './opinion.ts';
import { md5OfFiles, read } from './read.ts';
import { start } from './start.ts';
import { upload } from './upload.ts';

export const stages = {
  upload,
  read,
  md5,
  md5OfFiles,
  detect,
  detectFiles,
  start,
  collect,
  download,
  opinion,
} as const;
export type { Edges, StageContext, StageInput } from './context.ts';
export { hasFrameToFetch } from './download.ts';
export { accusesAccount, concerning } from './evidence.ts';
export { closeResources, type OpenedResource, openResource, openResources } from './resources.ts';
export { sequence } from './sequence.ts';
