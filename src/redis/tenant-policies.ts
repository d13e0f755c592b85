/** The policies of tenants. Each process caches a policy for a second, so that a change takes effect everywhere within a second. */
import { type TenantFile, type TenantPolicy, type TenantRecord, tenantPolicy } from '../domain/operations/tenants.ts';
import type { Deployment } from './deployment.ts';
import { putTenant } from './scripts/put-tenant.ts';

const CACHE_MS = 1_000;
/** Tenants come from API keys and settings, so there are few. The limit only guards against a caller that invents them. */
const MAX_CACHED = 10_000;

type Store = Pick<Deployment, 'redis' | 'names'>;

interface Cached {
  readonly policy: Promise<TenantPolicy | null>;
  readonly until: number;
}

export class TenantPolicies {
  readonly #deployment: Store;
  readonly #cache = new Map<string, Cached>();

  constructor(deployment: Store) {
    this.#deployment = deployment;
  }

  /** The stored policy, at most a second old; null if none is stored. */
  async policyOf(tenant: string): Promise<TenantPolicy | null> {
    const now = performance.now();
    const cached = this.#cache.get(tenant);
    if (cached !== undefined && cached.until > now) return cached.policy;
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
    const policy = this.find(tenant).then((record) => record?.policy ?? null);
    this.#cache.set(tenant, { policy, until: now + CACHE_MS });
    try {
      return await policy;
    } catch (error) {
      this.#cache.delete(tenant);
      throw error;
    }
  }

  async find(tenant: string): Promise<TenantRecord | null> {
    const { redis, names } = this.#deployment;
    return readTenant(tenant, await redis.hget(names.tenants, tenant));
  }

  /** All stored policies, by name. */
  async list(): Promise<TenantRecord[]> {
    const { redis, names } = this.#deployment;
    const stored = await redis.hgetall(names.tenants);
    return Object.entries(stored)
      .flatMap(([tenant, text]) => readTenant(tenant, text) ?? [])
      .sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
  }

  /** @returns the stored record; null if the stored version is not the one that `version` names. */
  async put({ tenant, version, policy }: TenantFile, by: string): Promise<TenantRecord | null> {
    const changedAt = new Date().toISOString();
    const record = JSON.stringify({ policy, changedAt, by });
    const stored = await putTenant(this.#deployment, tenant, { expected: version ?? -1, record });
    this.#cache.delete(tenant);
    return stored === null ? null : { tenant, version: stored, policy, changedAt, by };
  }

  async remove(tenant: string): Promise<void> {
    await putTenant(this.#deployment, tenant, { expected: -1, record: null });
    this.#cache.delete(tenant);
  }
}

function readTenant(tenant: string, text: string | null): TenantRecord | null {
  const [, version, json] = /^(\d+) (.*)$/s.exec(text ?? '') ?? [];
  if (version === undefined || json === undefined) return null;
  const { policy, changedAt, by } = JSON.parse(json) as Omit<TenantRecord, 'tenant' | 'version'>;
  return { tenant, version: Number(version), policy: tenantPolicy.parse(policy), changedAt, by };
}
