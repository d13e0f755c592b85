/**
 * Exports API keys and webhook endpoints as one text, to restore them after Redis was lost. For a key, the text contains only the
 * hash of its secret. For an endpoint, the text contains the secrets themselves, so it is always sealed with the key ring.
 */
import { z } from 'zod';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import { isUsable, SCOPES } from '../../domain/operations/api-keys.ts';
import { checkWebhook, WEBHOOK_EVENTS } from '../../domain/operations/webhooks.ts';
import { MODES } from '../../domain/verification/mode.ts';
import { readKey, readStoredKeys, writeKey } from '../../redis/api-key-store.ts';
import type { RedisSettings } from '../../redis/redis-url.ts';
import type { KeyRing } from '../../redis/sealer.ts';
import { WebhookEndpoints } from '../../redis/webhook-endpoints.ts';
import { Store } from './store.ts';

const time = z.iso.datetime().nullable();
const backup = z.strictObject({
  version: z.literal(1),
  keys: z.array(
    z.strictObject({
      hash: z.string().regex(/^[0-9a-f]{64}$/),
      key: z.strictObject({
        id: z.string().regex(/^[0-9a-f]{12}$/),
        tenant: z.string().min(1),
        mode: z.enum(MODES),
        scopes: z.array(z.enum(SCOPES)),
        name: z.string(),
        perSecond: z.number().positive(),
        createdAt: z.iso.datetime(),
        expiresAt: time,
        revokedAt: time,
        lastUsedAt: time,
      }),
    }),
  ),
  webhooks: z.array(
    z.strictObject({
      owner: z.string().nullable(),
      name: z.string(),
      url: z.string(),
      secrets: z.array(z.string()),
      events: z.array(z.enum(WEBHOOK_EVENTS)).nullable(),
    }),
  ),
});

export interface AccessCounts {
  readonly keys: number;
  readonly webhooks: number;
}

/**
 * A sealed value is bound to an id and a field. An export is bound to these words instead, so no other sealed value is accepted
 * as an export.
 */
const PLACE = ['access', 'backup'] as const;

export class AccessBackup {
  readonly #store: Store;

  /** @throws Failure INVALID_SETTINGS if the key ring is empty */
  constructor({ redis, prefix, keyRing }: { redis: RedisSettings; prefix: string; keyRing: KeyRing }) {
    if (keyRing.size === 0) {
      const message = 'BESTFRAME_KEY_RING is not set: an export holds the secrets of webhooks, and is sealed by it';
      throw inputFailure(CODES.INVALID_SETTINGS, 'BESTFRAME_KEY_RING', message);
    }
    this.#store = new Store({ redis, prefix, keyRing, expiryMs: 0, connectTimeoutMs: 3_000, tenant: null });
  }

  /**
   * Exports usable keys and registered endpoints. Endpoints from settings are left out, because the settings define them again.
   */
  async export(): Promise<AccessCounts & { readonly text: string }> {
    await this.#store.ready();
    const { deployment } = this.#store;
    const all = await this.#store.command(readStoredKeys(deployment));
    const keys = all.filter(({ key }) => isUsable(key, Date.now()));
    const endpoints = await this.#store.command(new WebhookEndpoints(deployment).listAll());
    const webhooks = endpoints
      .filter(({ endpoint }) => endpoint.secrets.length > 0)
      .map(({ owner, endpoint }) => ({ owner, ...endpoint }));
    const text = deployment.sealer.seal(...PLACE, JSON.stringify({ version: 1, keys, webhooks }));
    return { keys: keys.length, webhooks: webhooks.length, text: Buffer.from(text).toString('base64') };
  }

  /**
   * Adds missing keys and endpoints. Existing keys and endpoints stay unchanged: a key revoked after the export stays revoked.
   * @returns how many were added.
   * @throws Failure MALFORMED_REQUEST if the text is not an export, SEAL_KEY_MISSING if another key ring sealed it
   */
  async import(text: string): Promise<AccessCounts> {
    const { keys, webhooks } = this.#parse(text);
    await this.#store.ready();
    const { deployment } = this.#store;
    let added = { keys: 0, webhooks: 0 };
    for (const stored of keys) {
      const { id, expiresAt } = stored.key;
      if ((await this.#store.command(readKey(deployment, id))) !== null) continue;
      const lifeMs = expiresAt === null ? null : Math.max(0, Date.parse(expiresAt) - Date.now());
      await this.#store.command(writeKey(deployment, stored, lifeMs));
      added = { ...added, keys: added.keys + 1 };
    }
    for (const { owner, ...endpoint } of webhooks) {
      const endpoints = new WebhookEndpoints(deployment, owner);
      checkWebhook(endpoint);
      if ((await this.#store.command(endpoints.find(endpoint.name))) !== null) continue;
      await this.#store.command(endpoints.put(endpoint));
      added = { ...added, webhooks: added.webhooks + 1 };
    }
    return added;
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#store.close();
  }

  #parse(text: string): z.infer<typeof backup> {
    const sealed = Buffer.from(text.trim(), 'base64').toString();
    const opened = this.#store.deployment.sealer.open(...PLACE, sealed);
    try {
      // `open` returns an unsealed text unchanged. An unsealed text is refused, because anybody could have written it.
      if (opened !== sealed) return backup.parse(JSON.parse(opened));
    } catch {
      // a text that cannot be parsed gets the error below
    }
    throw inputFailure(CODES.MALFORMED_REQUEST, 'file', 'the file is not an export: give what `keys export` printed');
  }
}
