/** Content types by the ending of a name. COS gives one to an object that is stored without a Content-Type. */
import { extname } from 'node:path/posix';

const UNKNOWN = 'application/octet-stream';

const TYPES: Readonly<Record<string, string>> = {
  '.avi': 'video/x-msvideo',
  '.bmp': 'image/bmp',
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.flv': 'video/x-flv',
  '.gif': 'image/gif',
  '.gz': 'application/gzip',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.mov': 'video/quicktime',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.tar': 'application/x-tar',
  '.txt': 'text/plain',
  '.wav': 'audio/x-wav',
  '.webm': 'video/webm',
  '.webp': 'image/webp',
  '.xml': 'application/xml',
  '.zip': 'application/zip',
};

export function mediaTypeOf(key: string): string {
  return TYPES[extname(key).toLowerCase()] ?? UNKNOWN;
}
