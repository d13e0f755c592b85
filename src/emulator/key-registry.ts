/**
 * The keys that the emulator accepts: the permanent ones, and temporary ones that STS and the metadata service have issued.
 * FaceID, COS and STS all read the same lists, so issued keys work at once and everywhere.
 */
import { randomBytes } from 'node:crypto';
import { type Credentials, VENDOR_CREDENTIALS } from './settings.ts';

export interface IssuedKeys extends Credentials {
  readonly token: string;
  readonly expiresAt: number;
}

/** Expired keys stay known for this long, so that they are refused as expired and not as unknown. */
const REMEMBERED_MS = 3_600_000;

export class KeyRegistry {
  /** The account's keys. */
  readonly account: Credentials[];
  /** The account's keys, and those that sign the vendor's links. */
  readonly withVendor: Credentials[];
  readonly #permanent: readonly Credentials[];

  constructor(permanent: readonly Credentials[]) {
    this.#permanent = permanent;
    this.account = [...permanent];
    this.withVendor = [...permanent, VENDOR_CREDENTIALS];
  }

  /** @param expiresAt ms since 1970, by the vendor's clock. Rounded down to seconds, because answers give the time in seconds. */
  issue(expiresAt: number, now: number): IssuedKeys {
    this.#forget(now - REMEMBERED_MS);
    const keys = {
      secretId: `AKID${randomBytes(24).toString('base64url')}`,
      secretKey: randomBytes(24).toString('base64'),
      token: `${randomBytes(48).toString('base64url')}==`,
      expiresAt: Math.floor(expiresAt / 1_000) * 1_000,
    };
    this.account.push(keys);
    this.withVendor.push(keys);
    return keys;
  }

  #forget(before: number): void {
    for (const list of [this.account, this.withVendor]) {
      for (let index = list.length - 1; index >= 0; index -= 1) {
        const keys = list[index];
        const isOld = keys !== undefined && (keys.expiresAt ?? Number.POSITIVE_INFINITY) < before;
        if (isOld && !this.#permanent.includes(keys)) list.splice(index, 1);
      }
    }
  }
}
