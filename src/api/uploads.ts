/**
 * A multipart request, part by part, in the order in which it comes: files to the staging folder, the JSON into memory.
 *
 * What must hold: nothing is held whole but the JSON (64 KiB); each resource comes once; whatever goes wrong, what was written is
 * removed, and the rest is not read.
 */
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { ACTION_NAMES, RESOURCE_NAMES, type ResourceName, type ResourceRule, resourcesOf } from '../domain/actions.ts';
import { Failure } from '../domain/failure.ts';
import type { Received, Staging } from '../storage/staging.ts';
import { malformed, ourFailure } from './problems.ts';

export interface Upload {
  /** Part `verification`, as it was written. */
  readonly verification: object;
  readonly files: ReadonlyMap<ResourceName, Received>;
}

const JSON_PART = 'verification';
const JSON_BYTES = 64 * 1024;

export async function readUpload(request: FastifyRequest, staging: Staging): Promise<Upload> {
  const files = new Map<ResourceName, Received>();
  let verification: object | null = null;
  try {
    for await (const part of request.parts()) {
      if (part.fieldname === JSON_PART) {
        if (verification !== null) throw malformed(JSON_PART, `part ${JSON_PART} comes twice: send it once`);
        verification = objectIn(part.type === 'file' ? await textOf(part) : part.value);
        continue;
      }
      const name = RESOURCE_NAMES.find((each) => each === part.fieldname);
      if (name === undefined) {
        const words = `a part has a name that is not taken: send ${JSON_PART}, ${RESOURCE_NAMES.join(', ')}`;
        throw malformed('', words);
      }
      if (part.type !== 'file') throw malformed(name, `part ${name} is no file: send it with a filename`);
      if (files.has(name)) throw malformed(name, `part ${name} comes twice: send it once`);
      files.set(name, await staging.receive(name, ruleOf(name), `resources.${name}`, part.file));
    }
    if (verification === null)
      throw malformed(JSON_PART, `part ${JSON_PART} is missing: send the JSON of the verification in it`);
    if (files.size === 0) throw malformed('', 'there are no files: send them, or the verification as application/json');
    return { verification, files };
  } catch (error) {
    for (const file of files.values()) await file.discard();
    throw readFailure(error);
  }
}

/** The same for every action that takes it. */
function ruleOf(name: ResourceName): ResourceRule {
  for (const action of ACTION_NAMES) {
    const rule = resourcesOf(action).find(([each]) => each === name)?.[1];
    if (rule !== undefined) return rule;
  }
  throw new Error(`no action takes ${name}`);
}

async function textOf({ file }: MultipartFile): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of file as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > JSON_BYTES) throw ourFailure('BODY_TOO_LARGE', `part ${JSON_PART} is larger than ${JSON_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function objectIn(value: unknown): object {
  let found = value;
  try {
    if (typeof value === 'string') found = JSON.parse(value);
  } catch {
    found = null; // said below
  }
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found;
  throw malformed(JSON_PART, `part ${JSON_PART} is no JSON object`);
}

/** What the parser of multipart throws has no code of its own: the body is cut, or is none. */
function readFailure(error: unknown): unknown {
  if (error instanceof Failure || (error instanceof Error && 'code' in error && String(error.code).startsWith('FST_')))
    return error;
  return ourFailure('MALFORMED_REQUEST', 'the body is no multipart that can be read to its end');
}
