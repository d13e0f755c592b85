/**
 * Encryption at rest in Redis, active when a key ring is configured. AES-256-GCM seals the caller's data (key, sources, metadata,
 * purpose, consent), links, object locations and the history. Values that the scripts read (states, counts, times, codes) stay
 * plain.
 *
 * What must hold:
 * 1. The first key of the ring seals; every key opens. So a key can be rotated without downtime. First append the new key in
 *    every process; when all have it, move it to the front; when no value is sealed with the old key any more, remove the old
 *    key.
 * 2. A sealed value is bound to its verification and field, and an entry of the history to its position (`history.ts`): a copy in
 *    another place cannot be opened.
 * 3. Values written before the key ring was configured are read as plain text.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Failure, localFailure } from '../domain/errors/failure.ts';
import { CODES } from '../domain/errors/index.ts';

/** Keys of 32 bytes by name, newest first: the first one seals. */
export type KeyRing = ReadonlyMap<string, Uint8Array>;

/** Parses `name:key,…`, newest first, each key 32 bytes in Base64. @throws Error that does not contain the key */
export function parseKeyRing(text: string): KeyRing {
  const ring = new Map<string, Uint8Array>();
  for (const entry of text.split(',')) {
    const [, name = '', encoded = ''] = /^\s*([A-Za-z0-9_.-]{1,32}):([A-Za-z0-9+/]{43}=)\s*$/.exec(entry) ?? [];
    if (name === '') throw new Error('is not a key ring: write name:key,…, each key 32 bytes in base64');
    if (ring.has(name)) throw new Error(`names the key "${name}" twice: remove one`);
    ring.set(name, Buffer.from(encoded, 'base64'));
  }
  return ring;
}

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Marks a sealed value. No plain value begins with this mark: callers' keys are printable text, and everything else is JSON. */
const SEALED_MARK = '\u0001';

export class Sealer {
  readonly #ring: KeyRing;

  constructor(ring: KeyRing = new Map()) {
    this.#ring = ring;
  }

  /** Whether there is a key that seals. */
  get seals(): boolean {
    return this.#ring.size > 0;
  }

  /** @param field the journal field that holds the value, e.g. `src`. */
  seal(id: string, field: string, text: string): string {
    const [first] = this.#ring;
    if (first === undefined || text === '') return text;
    const [name, key] = first;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(additionalData(id, field));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${SEALED_MARK}${name}:${sealed.toString('base64')}`;
  }

  /** @throws Failure SEAL_KEY_MISSING if the key is not in the ring, or if the ring has a different key under that name. */
  open(id: string, field: string, text: string): string {
    if (!isSealed(text)) return text;
    const opened = this.openSealed(id, field, text);
    if (opened === null) throw sealKeyMissing(keyName(text), 'does not open a value that was sealed under its name');
    return opened;
  }

  /**
   * @returns null if the text is not sealed, or not for this verification and field.
   * @throws Failure SEAL_KEY_MISSING if the key is not in the ring.
   */
  openSealed(id: string, field: string, text: string): string | null {
    if (!isSealed(text)) return null;
    const name = keyName(text);
    const key = this.#ring.get(name);
    if (key === undefined) throw sealKeyMissing(name, 'is not in the key ring');
    const sealed = Buffer.from(text.slice(text.indexOf(':') + 1), 'base64');
    if (sealed.length < IV_BYTES + TAG_BYTES) return null;
    const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_BYTES))
      .setAAD(additionalData(id, field))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return null;
    }
  }
}

export function isSealed(text: string): boolean {
  return text.startsWith(SEALED_MARK);
}

function keyName(text: string): string {
  return text.slice(SEALED_MARK.length, text.indexOf(':'));
}

function additionalData(id: string, field: string): Buffer {
  return Buffer.from(`${id}/${field}`);
}

function sealKeyMissing(name: string, problem: string): Failure {
  return localFailure(
    CODES.SEAL_KEY_MISSING,
    `the key "${name}" ${problem}: give this process the same BESTFRAME_KEY_RING as the others`,
    { field: 'BESTFRAME_KEY_RING' },
  );
}
