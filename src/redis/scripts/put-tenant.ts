import type { Deployment } from '../deployment.ts';
import { runScript } from './run.ts';

export interface TenantChange {
  /** Version that is replaced; 0: none is stored; -1: any. */
  readonly expected: number;
  /** JSON without the version; null removes the policy. */
  readonly record: string | null;
}

/** @returns the new version, 0 if the policy was removed; null if another version is stored. */
export async function putTenant(
  { redis, names }: Pick<Deployment, 'redis' | 'names'>,
  tenant: string,
  { expected, record }: TenantChange,
): Promise<number | null> {
  const keys = { tenants: names.tenants, versions: names.tenantVersions };
  const version = Number(await runScript(redis, 'put-tenant', keys, { tenant, expected, record: record ?? '' }));
  return version < 0 ? null : version;
}
