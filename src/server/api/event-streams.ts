/**
 * The open event streams of the process.
 *
 * What must hold:
 * 1. One key has at most `key` streams, and the process at most `process`.
 * 2. A stream ends at once when its key is revoked or expires. Redis announces changes of keys; an announcement that is lost is made
 *    good by a check every `CHECK_MS`.
 */
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import type { ApiKey } from '../../domain/operations/api-keys.ts';
import { isUsable } from '../../domain/operations/api-keys.ts';
import { ourFailure } from './problems.ts';

export interface StreamLimits {
  /** Streams of one key in this process. */
  readonly key: number;
  readonly process: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = { key: 20, process: 500 };

const CHECK_MS = 15_000;
const RETRY_MS = 5_000;

interface OpenStream {
  readonly keyId: string;
  /** Ends the stream if its key is not usable any more. */
  check(): Promise<void>;
}

export interface StreamPlace {
  /** Aborts when the key is revoked or expires. */
  readonly signal: AbortSignal;
  /** Gives the place back. Idempotent. */
  leave(): void;
}

export class EventStreams {
  readonly #keys: Pick<ApiKeys, 'get' | 'onChange'>;
  readonly #limits: StreamLimits;
  readonly #open = new Set<OpenStream>();
  #listening: Promise<() => void> | undefined;

  constructor(keys: Pick<ApiKeys, 'get' | 'onChange'>, limits: StreamLimits) {
    this.#keys = keys;
    this.#limits = limits;
  }

  /** @throws Failure RATE_LIMITED if the key or the process has too many streams */
  async enter({ id: keyId }: ApiKey): Promise<StreamPlace> {
    this.#refuseTooMany(keyId);
    const controller = new AbortController();
    let expiry: NodeJS.Timeout | undefined;
    const check = async () => {
      const key = await this.#keys.get(keyId).catch(() => undefined); // while Redis is away, nobody can revoke a key
      if (key === undefined || controller.signal.aborted) return;
      clearTimeout(expiry);
      if (key === null || !isUsable(key, Date.now())) return controller.abort();
      if (key.expiresAt === null) return;
      const leftMs = Date.parse(key.expiresAt) - Date.now();
      if (leftMs < CHECK_MS) expiry = setTimeout(() => void check(), leftMs);
    };
    const stream: OpenStream = { keyId, check };
    this.#open.add(stream);
    const timer = setInterval(() => void check(), CHECK_MS);
    const leave = () => {
      clearInterval(timer);
      clearTimeout(expiry);
      controller.abort();
      this.#open.delete(stream);
    };
    try {
      await this.#listen();
      await check(); // the key may have been revoked before this process listened
    } catch (error) {
      leave();
      throw error;
    }
    return { signal: controller.signal, leave };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const stop = await this.#listening?.catch(() => undefined);
    stop?.();
  }

  #refuseTooMany(keyId: string): void {
    const { key, process } = this.#limits;
    const own = [...this.#open].filter((each) => each.keyId === keyId).length;
    if (own >= key) {
      const detail = `the API key has ${key} event streams open: close one, or wait for webhooks instead`;
      throw ourFailure('RATE_LIMITED', detail, { retryAfterMs: RETRY_MS });
    }
    if (this.#open.size >= process) {
      const detail = 'too many event streams are open: send the request again later, or use another API process';
      throw ourFailure('RATE_LIMITED', detail, { retryAfterMs: RETRY_MS });
    }
  }

  async #listen(): Promise<void> {
    this.#listening ??= this.#keys.onChange((id) => {
      for (const stream of this.#open) if (stream.keyId === id) void stream.check();
    });
    try {
      await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
  }
}
