/**
 * Reads a multipart request part by part, in the order of arrival: files into the staging folder, the JSON into memory.
 *
 * What must hold:
 * 1. Only the JSON is held in memory as a whole, and it is at most 64 KiB.
 * 2. Each resource may occur only once.
 * 3. If anything fails, the rest of the request is not read, and the files that were written are removed.
 */
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Received, Staging } from '../../adapters/storage/staging.ts';
import { Failure } from '../../domain/errors/failure.ts';
import {
  ACTION_NAMES,
  ACTIONS,
  RESOURCE_NAMES,
  type ResourceName,
  type ResourceRule,
} from '../../domain/verification/actions.ts';
import { JsonLimits } from './json-limits.ts';
import { malformed, ourFailure } from './problems.ts';
import { isObject } from './route-tools.ts';

export interface Upload {
  /** The JSON of part `verification`, not validated. */
  readonly verification: object;
  readonly files: ReadonlyMap<ResourceName, Received>;
}

const JSON_PART = 'verification';
const MAX_JSON_BYTES = 64 * 1024;

export async function readUpload(request: FastifyRequest, staging: Staging): Promise<Upload> {
  const files = new Map<ResourceName, Received>();
  let verification: object | null = null;
  try {
    for await (const part of request.parts()) {
      if (part.type !== 'file') throw new Error('the parser did not give a part as a stream');
      if (part.fieldname === JSON_PART) {
        if (verification !== null) throw malformed(JSON_PART, `part ${JSON_PART} is repeated: send it once`);
        verification = parseObject(await readText(part));
        continue;
      }
      const name = RESOURCE_NAMES.find((each) => each === part.fieldname);
      if (name === undefined) throw unknownPart(part.fieldname);
      if (!isFile(part)) throw malformed(name, `part ${name} is not a file: send it with a filename`);
      if (files.has(name)) throw malformed(name, `part ${name} is repeated: send it once`);
      files.set(name, await staging.receive(name, ruleOf(name), `resources.${name}`, part.file));
    }
    if (verification === null)
      throw malformed(JSON_PART, `part ${JSON_PART} is missing: send the JSON of the verification in it`);
    if (files.size === 0)
      throw malformed('', 'the body has no files: add them, or send the verification as application/json');
    return { verification, files };
  } catch (error) {
    for (const file of files.values()) await file.discard();
    throw isFailureOrFrameworkError(error) ? error : ourFailure('MALFORMED_REQUEST', 'the multipart body is malformed');
  }
}

/**
 * Of all actions' rules for this name, returns the one that accepts the largest file. A file may arrive before the request's
 * action is known, so the limit of the request's own action is checked later.
 */
function ruleOf(name: ResourceName): ResourceRule {
  const rules = ACTION_NAMES.flatMap((action) => ACTIONS[action].resources[name] ?? []);
  return rules.reduce((largest, rule) => (rule.maxBytes > largest.maxBytes ? rule : largest));
}

/** Whether a part is a file. A plain form field of a browser has neither a file name nor a content type. */
function isFile({ filename, mimetype }: MultipartFile): boolean {
  return filename !== undefined || mimetype === 'application/octet-stream';
}

/** The failure for a part with an unknown name. The message contains the name only if it is short and harmless. */
function unknownPart(name: string): Failure {
  const what = /^[\w-]{1,64}$/.test(name) ? `part ${name} is unknown` : 'a part has an unknown name';
  return malformed('', `${what}: remove it, the parts are ${JSON_PART}, ${RESOURCE_NAMES.join(', ')}`);
}

async function readText({ file }: MultipartFile): Promise<string> {
  const pieces: Buffer[] = [];
  const limits = new JsonLimits();
  let bytes = 0;
  for await (const piece of file as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > MAX_JSON_BYTES) {
      throw ourFailure(
        'BODY_TOO_LARGE',
        `part ${JSON_PART} is larger than ${MAX_JSON_BYTES} bytes: send less metadata`,
      );
    }
    limits.push(piece);
    pieces.push(piece);
  }
  return Buffer.concat(pieces)
    .toString('utf8')
    .replace(/^\ufeff/, '');
}

function parseObject(text: string): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw malformed(JSON_PART, `part ${JSON_PART} is not valid JSON`);
  }
  if (isObject(parsed)) return parsed;
  throw malformed(JSON_PART, `part ${JSON_PART} is not a JSON object`);
}

/** Any other error comes from the multipart parser, and means that the body is truncated or is not multipart. */
function isFailureOrFrameworkError(error: unknown): boolean {
  return (
    error instanceof Failure || (error instanceof Error && 'code' in error && String(error.code).startsWith('FST_'))
  );
}
