/**
 * The namespace: the secret of a deployment. Ids, subjects, receipts and digests are HMACs under it, so nobody who lacks it can
 * compute the id of another's verification, or tell from a hash what was hashed.
 *
 * What must hold:
 * 1. In live mode the namespace cannot be guessed.
 * 2. Redis keeps only a check value of it, from which the namespace cannot be computed.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type Failure, inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';

/** The namespace in test mode if none is set. It is no secret, because a test deployment has no real faces. */
export const TEST_NAMESPACE = 'namespace of test mode';

const GENERATED_BYTES = 32;
const MIN_CHARACTERS = 32;
const MIN_DIFFERENT = 12;
const MAX_CHARACTERS = 256;

/** Generates a namespace: 256 random bits in base64url. */
export function newNamespace(): string {
  return randomBytes(GENERATED_BYTES).toString('base64url');
}

/** @returns what is wrong with a namespace in live mode, or null. The words never repeat the namespace. */
export function namespaceProblem(namespace: string): string | null {
  const remedy = '`bestframe init` makes one';
  if (namespace.length > MAX_CHARACTERS) return `is longer than ${MAX_CHARACTERS} characters: use a shorter one`;
  if (namespace.length < MIN_CHARACTERS)
    return `is a secret, and has fewer than ${MIN_CHARACTERS} characters: use a random one, ${remedy}`;
  if (isGuessable(namespace)) return `is a secret, and can be guessed: use a random one, ${remedy}`;
  return null;
}

/** A word, few different characters, a repeated part, or characters in a row (`abcdef…`). */
function isGuessable(text: string): boolean {
  if (/bestframe|namespace|password|example|changeme/i.test(text) || new Set(text).size < MIN_DIFFERENT) return true;
  if (`${text}${text}`.indexOf(text, 1) < text.length) return true;
  const steps = [...text].slice(1).map((character, index) => character.charCodeAt(0) - text.charCodeAt(index));
  return steps.filter((step) => Math.abs(step) <= 1).length > text.length / 2;
}

/** What Redis keeps of the namespace, to recognise a process with another one. */
export function namespaceCheck(namespace: string): string {
  return createHmac('sha256', `${namespace}/check`).update('bestframe').digest('base64url');
}

export function namespaceMissing(field: string): Failure {
  const message = `${field} is missing: give the secret of this deployment, the one that its workers have; \`bestframe init\` makes one for a new deployment`;
  return inputFailure(CODES.INVALID_SETTINGS, field, message);
}
