/** Policies of tenants, for operators. */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import {
  parseTenantFile,
  type TenantFileInput,
  type TenantRecord,
  type TenantWall,
  type WallSurroundings,
  wallOf,
} from '../../domain/operations/tenants.ts';
import { countOfTenant } from '../../redis/indexes.ts';
import { TenantPolicies } from '../../redis/tenant-policies.ts';
import type { Store } from './store.ts';

export class Tenants {
  readonly #store: Store;
  readonly #policies: TenantPolicies;
  readonly #surroundings: WallSurroundings;

  constructor(store: Store, surroundings: WallSurroundings, owner?: Tenants) {
    this.#store = store;
    this.#policies = owner === undefined ? new TenantPolicies(store.deployment) : owner.#policies;
    this.#surroundings = surroundings;
  }

  /** All stored policies, by name. A tenant without one may use only its own prefix. */
  async list(): Promise<TenantRecord[]> {
    await this.#store.ready();
    return this.#store.command(this.#policies.list());
  }

  /** @returns null if no policy is stored for the tenant. */
  async get(tenant: string): Promise<TenantRecord | null> {
    await this.#store.ready();
    return this.#store.command(this.#policies.find(tenant));
  }

  /** How many verifications of the tenant have not ended, and how many records it has. */
  async counts(tenant: string): Promise<{ live: number; records: number }> {
    await this.#store.ready();
    return this.#store.command(countOfTenant(this.#store.deployment, tenant));
  }

  /**
   * Stores a policy. It takes effect within a second, also for verifications that wait.
   * @param file with `version`, the policy is stored only if that version is the present one (0: none).
   * @throws Failure INVALID_TENANT, naming the field; TENANT_CONFLICT
   */
  async set(file: TenantFileInput, { by }: { readonly by: string }): Promise<TenantRecord> {
    const parsed = parseTenantFile(file);
    await this.#store.ready();
    const stored = await this.#store.command(this.#policies.put(parsed, by));
    if (stored !== null) return stored;
    const message = `version is not the present one: somebody changed the policy of ${parsed.tenant}; read it again`;
    throw inputFailure(CODES.TENANT_CONFLICT, 'version', message);
  }

  /** Removes a policy: the tenant may use only its own prefix. Its verifications and keys stay. */
  async remove(tenant: string): Promise<'ok' | 'missing'> {
    if ((await this.get(tenant)) === null) return 'missing';
    await this.#store.command(this.#policies.remove(tenant));
    return 'ok';
  }

  /** What this client's tenant may reach; null if it may use every place. */
  async wall(): Promise<TenantWall | null> {
    const { tenant } = this.#store;
    if (tenant === null) return null;
    return wallOf(tenant, await this.#store.command(this.#policies.policyOf(tenant)), this.#surroundings);
  }
}
