/**
 * Encryption at rest in Redis, on where there is a key ring: AES-256-GCM over what is the caller's (key, sources, metadata,
 * purpose and consent), links, places and the history. What scripts judge by (states, counts, times, codes) stays plain.
 *
 * What must hold:
 * 1. The first key of the ring seals; all of them open. So a key is rotated without downtime: added at the end everywhere,
 *    then moved to the front, then, once nothing is sealed with the old one any more, the old one is taken out.
 * 2. A sealed value is bound to its verification and field: moved elsewhere it does not open.
 * 3. What was written before there was a ring is read as it is.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CODES } from '../domain/errors/index.ts';
import { Failure } from '../domain/failure.ts';

/** Newest first: the first seals. Keys of 32 bytes by their names. */
export type KeyRing = ReadonlyMap<string, Uint8Array>;

/** `name:base64,…` of 32 bytes each, newest first. @throws Error that says what is wrong, without the key. */
export function parseKeyRing(text: string): KeyRing {
  const ring = new Map<string, Uint8Array>();
  for (const entry of text.split(',')) {
    const [, name = '', encoded = ''] = /^\s*([A-Za-z0-9_.-]{1,32}):([A-Za-z0-9+/]{43}=)\s*$/.exec(entry) ?? [];
    if (name === '') throw new Error('is not a key ring: write name:key,…, each key 32 bytes in base64');
    if (ring.has(name)) throw new Error(`names the key "${name}" twice: leave one`);
    ring.set(name, Buffer.from(encoded, 'base64'));
  }
  return ring;
}

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** No value that we write begins with it: keys of callers are printable, the rest is JSON. */
const MARK = '\u0001';

export class Sealer {
  readonly #ring: KeyRing;

  constructor(ring: KeyRing = new Map()) {
    this.#ring = ring;
  }

  /** @param field what the value is of its verification, e.g. `src`. */
  seal(id: string, field: string, text: string): string {
    const [first] = this.#ring;
    if (first === undefined || text === '') return text;
    const [name, key] = first;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(boundTo(id, field));
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return `${MARK}${name}:${sealed.toString('base64')}`;
  }

  /** @throws Failure SEAL_KEY_MISSING where its key is not in the ring, or is another one of that name. */
  open(id: string, field: string, text: string): string {
    if (!text.startsWith(MARK)) return text;
    const cut = text.indexOf(':');
    const name = text.slice(MARK.length, cut);
    const key = this.#ring.get(name);
    if (key === undefined) throw missing(name, 'is not in the key ring');
    const sealed = Buffer.from(text.slice(cut + 1), 'base64');
    const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_BYTES))
      .setAAD(boundTo(id, field))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      throw missing(name, 'does not open what was sealed under its name');
    }
  }
}

function boundTo(id: string, field: string): Buffer {
  return Buffer.from(`${id}/${field}`);
}

function missing(name: string, what: string): Failure {
  return new Failure(
    { service: 'bestframe', channel: 'local', code: CODES.SEAL_KEY_MISSING, sent: 'no', field: 'BESTFRAME_KEY_RING' },
    `the key "${name}" ${what}: give this process the same BESTFRAME_KEY_RING as the others`,
  );
}
