/**
 * Sends files on this machine as multipart/form-data: first the JSON, then each file while it is read.
 *
 * What must hold:
 * 1. No file is held in memory as a whole. Each file is checked and hashed before its first byte is sent. If a file changes
 *    during the request, the client stops in the middle of the body, and the API accepts nothing.
 * 2. Only files are checked here. The API checks every other field, so that the client needs no schema library.
 */
import { randomUUID } from 'node:crypto';
import { parse, resolve } from 'node:path';
import { openFileSource } from '../../adapters/storage/file-source.ts';
import type { OpenSource } from '../../domain/ports.ts';
import {
  ACTIONS,
  type ActionName,
  DEFAULT_ACTION,
  type ResourceName,
  resourcesOf,
} from '../../domain/verification/actions.ts';
import type { VerificationRequest } from '../../domain/verification/request.ts';
import type { Source } from '../../domain/verification/sources.ts';
import type { HttpClientOptions } from './options.ts';
import type { RequestBody } from './transport.ts';

type FileSource = Extract<Source, { from: 'file' }>;

/** Whether the request names files. JavaScript callers may pass anything, even undefined. */
export function hasFileSource(request: VerificationRequest): boolean {
  return Object.values(request?.resources ?? {}).some(isFileSource);
}

/** Whether a source is a valid file source. Every other source is sent unchanged, and the API refuses invalid ones. */
function isFileSource(source: unknown): source is FileSource {
  if (typeof source !== 'object' || source === null) return false;
  const { from, path } = source as Partial<FileSource>;
  return from === 'file' && typeof path === 'string' && path !== '';
}

export interface Upload {
  /** Returns the body. Each try needs a new body. */
  readonly body: () => RequestBody;
  /** The body without its files. If everything else is valid, the API refuses this body because the files are missing. */
  readonly bodyWithoutFiles: () => RequestBody;
  close(): Promise<void>;
}

/** Opens and checks the files. @throws Failure with a source code, before anything is sent */
export async function openUpload(
  request: VerificationRequest,
  { fileRoots }: Pick<HttpClientOptions, 'fileRoots'>,
  signal: AbortSignal,
): Promise<Upload> {
  const action: ActionName = request.action ?? DEFAULT_ACTION;
  const rules = action in ACTIONS ? resourcesOf(action) : [];
  const files = new Map<ResourceName, OpenSource>();
  const close = async () => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const [name, rule] of rules) {
      const source = request.resources[name];
      if (!isFileSource(source)) continue;
      const roots = fileRoots ?? [parse(resolve(source.path)).root];
      files.set(name, await openFileSource(source, { roots, rule, field: `resources.${name}` }, signal));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const references = Object.entries(request.resources).filter(([name]) => !files.has(name as ResourceName));
  const json = JSON.stringify({ ...request, resources: Object.fromEntries(references) });
  return { body: () => multipart(json, files), bodyWithoutFiles: () => multipart(json, new Map()), close };
}

function multipart(json: string, files: ReadonlyMap<string, OpenSource>): RequestBody {
  const boundary = randomUUID();
  const part = (name: string, parameters: string, type: string) =>
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${parameters}\r\ncontent-type: ${type}\r\n\r\n`,
    );
  async function* bytes() {
    yield Buffer.concat([part('verification', '', 'application/json'), Buffer.from(json)]);
    for (const [name, file] of files) {
      yield Buffer.from('\r\n');
      yield part(name, `; filename="${name}"`, 'application/octet-stream');
      yield* file.stream();
    }
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  }
  return { contentType: `multipart/form-data; boundary=${boundary}`, bytes: bytes() };
}
