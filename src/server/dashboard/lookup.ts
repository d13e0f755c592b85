/**
 * Finds verifications by what names them: id, caller's key, subject. Keys and subjects belong to a tenant, so without a tenant they are
 * looked up in each.
 */
import type { ApiKeys } from '../../client/redis/api-keys.ts';
import type { BestframeClient } from '../../client/redis/client.ts';
import type { VerificationView } from '../../domain/verification/view.ts';

interface Tools {
  readonly client: BestframeClient;
  readonly keys: Pick<ApiKeys, 'list'>;
}

export interface Named {
  /** Only this tenant's verifications are found. Null: those of all. */
  readonly tenant: string | null;
  readonly id: string | null;
  readonly key: string | null;
  readonly subject: string | null;
}

/** The verifications that all of the given names fit, newest first; null if no name is given. */
export async function findNamed(tools: Tools, { tenant, id, key, subject }: Named): Promise<VerificationView[] | null> {
  const inEach = async (find: (client: BestframeClient) => Promise<readonly (VerificationView | null)[]>) => {
    const clients = tenant === null ? await allClients(tools) : [clientOf(tools, tenant)];
    return (await Promise.all(clients.map(find))).flat().flatMap((view) => view ?? []);
  };
  if (id !== null) {
    const view = await clientOf(tools, tenant).get(id);
    if (view === null || (key !== null && view.key !== key)) return [];
    if (subject === null) return [view];
  }
  if (subject === null) return key === null ? null : inEach(async (client) => [await client.getByKey(key)]);
  const about = await inEach((client) => client.bySubject(subject));
  return about
    .filter((view) => (id === null || view.id === id) && (key === null || view.key === key))
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
}

/** A client that sees one tenant's verifications, or those of all. */
export function clientOf({ client }: Pick<Tools, 'client'>, tenant: string | null): BestframeClient {
  return tenant === null ? client : client.forTenant(tenant);
}

/** The tenants with a policy or an API key, sorted by name. */
export async function tenantNames({ client, keys }: Tools): Promise<string[]> {
  const [records, issued] = await Promise.all([client.tenants.list(), keys.list()]);
  return [...new Set([...records, ...issued].map(({ tenant }) => tenant))].sort();
}

/** The client of the deployment itself, and one for each tenant. */
async function allClients(tools: Tools): Promise<BestframeClient[]> {
  return [tools.client, ...(await tenantNames(tools)).map((tenant) => tools.client.forTenant(tenant))];
}
