/**
 * Files of this machine, as multipart/form-data: the JSON first, then each file as it is read.
 *
 * What must hold: no file is held whole; each is looked at and hashed before a byte of it is sent, and where it is another one
 * by then, the body breaks before its end, so that nothing is taken.
 */
import { randomUUID } from 'node:crypto';
import { parse, resolve } from 'node:path';
import { type ResourceName, resourcesOf } from '../../domain/actions.ts';
import type { OpenSource } from '../../domain/ports.ts';
import { parseVerification, type VerificationRequest } from '../../domain/verification.ts';
import { openFileSource } from '../../storage/file-source.ts';
import type { ReadableBody, RemoteOptions } from './calls.ts';

export function namesFiles(request: VerificationRequest): boolean {
  // Of what comes from JavaScript nothing is sure: the API says what is wrong with it.
  return Object.values(request?.resources ?? {}).some((source) => source?.from === 'file');
}

export interface Upload {
  readonly body: () => ReadableBody;
  /** The same without its files: where all else is well, the API says that there are none. */
  readonly bare: () => ReadableBody;
  close(): Promise<void>;
}

/** @throws Failure INVALID_VERIFICATION and the source codes, before anything is sent */
export async function openUpload(
  request: VerificationRequest,
  { fileRoots }: Pick<RemoteOptions, 'fileRoots'>,
  signal: AbortSignal,
): Promise<Upload> {
  const { action, resources } = parseVerification(request, Date.now());
  const files = new Map<ResourceName, OpenSource>();
  const close = async () => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const [name, rule] of resourcesOf(action)) {
      const source = resources[name];
      if (source?.from !== 'file') continue;
      const roots = fileRoots ?? [parse(resolve(source.path)).root];
      files.set(name, await openFileSource(source, roots, rule, `resources.${name}`, signal));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const references = Object.entries(request.resources).filter(([, source]) => source?.from !== 'file');
  const json = JSON.stringify({ ...request, resources: Object.fromEntries(references) });
  return { body: () => multipart(json, files), bare: () => multipart(json, new Map()), close };
}

function multipart(json: string, files: ReadonlyMap<string, OpenSource>): ReadableBody {
  const boundary = randomUUID();
  const part = (name: string, more: string, type: string) =>
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${more}\r\ncontent-type: ${type}\r\n\r\n`,
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
  return { type: `multipart/form-data; boundary=${boundary}`, bytes: bytes() };
}
