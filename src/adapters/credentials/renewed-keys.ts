/**
 * Temporary keys that are renewed before they expire.
 *
 * What must hold:
 * 1. All callers share one renewal at a time.
 * 2. While the old keys are valid for long enough, nobody waits for a renewal.
 * 3. If a renewal fails, the old keys are used until they expire, and the renewal is tried again after a pause.
 */
import { setMaxListeners } from 'node:events';
import { asFailure, type Failure, localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { limitSignal } from '../http/limit-signal.ts';
import { type CredentialsProvider, keysUnavailable, type TemporaryKeys } from './keys.ts';

/** Keys are renewed at the later of two times: this long before they expire, and when half of their life is over. */
const AHEAD_MS = 5 * 60_000;
/** The travel time of a request. A caller asks for keys that stay valid for some duration; they must stay valid this much longer. */
const TRAVEL_MS = 5_000;
const RENEWAL_LIMIT_MS = 10_000;
const LONGEST_PAUSE_MS = 30_000;

export interface RenewedKeys extends CredentialsProvider {
  get(lifeMs?: number): Promise<TemporaryKeys>;
  /** Stops a running renewal. */
  close(): void;
}

interface Current {
  readonly keys: TemporaryKeys;
  readonly lifeMs: number;
}

/**
 * @param obtain asks the source for new keys. Everything that it throws is a Failure.
 * @param onTrouble called when a renewal fails while the old keys are still valid.
 */
export function renewedKeys(
  obtain: (signal: AbortSignal) => Promise<TemporaryKeys>,
  onTrouble: (failure: Failure, expiresAt: number) => void = () => undefined,
): RenewedKeys {
  const closed = new AbortController();
  setMaxListeners(0, closed.signal);
  let current: Current | null = null;
  let renewal: Promise<Failure | null> | null = null;
  let retryAt = 0;

  async function renew(): Promise<Failure | null> {
    const limit = limitSignal([closed.signal], RENEWAL_LIMIT_MS, renewalTimedOut);
    try {
      const keys = await obtain(limit.signal);
      // A metadata service answers the same keys until shortly before they expire, so do not ask again at once.
      if (keys.expiresAt === current?.keys.expiresAt) pause(current);
      current = { keys, lifeMs: Math.max(0, keys.expiresAt - Date.now()) };
      return null;
    } catch (error) {
      const failure = asFailure(error);
      const expiresAt = current?.keys.expiresAt ?? 0;
      if (current !== null && expiresAt > Date.now()) {
        pause(current);
        if (!closed.signal.aborted) onTrouble(failure, expiresAt);
      }
      return failure;
    } finally {
      limit.release();
      renewal = null;
    }
  }

  function pause({ lifeMs }: Current): void {
    retryAt = Date.now() + Math.min(LONGEST_PAUSE_MS, lifeMs / 10);
  }

  return {
    async get(lifeMs = 0) {
      const now = Date.now();
      let failure: Failure | null = null;
      const leftMs = current === null ? 0 : current.keys.expiresAt - now;
      const halfMs = (current?.lifeMs ?? 0) / 2;
      if (leftMs <= 0 || (leftMs <= Math.min(Math.max(AHEAD_MS, lifeMs + TRAVEL_MS), halfMs) && now >= retryAt)) {
        renewal ??= renew();
        if (leftMs <= Math.min(lifeMs + TRAVEL_MS, halfMs)) failure = await renewal;
      }
      if (current !== null && current.keys.expiresAt > Date.now()) return current.keys;
      throw failure ?? keysUnavailable('the temporary keys that were obtained have expired already: check the clock');
    },
    close: () => closed.abort(localFailure(CODES.ABORTED, 'the credentials were closed')),
  };
}

function renewalTimedOut(): Failure {
  return keysUnavailable(`temporary keys were not answered within ${RENEWAL_LIMIT_MS / 1_000} s: Bestframe asks again`);
}
