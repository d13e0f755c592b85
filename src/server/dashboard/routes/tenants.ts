/** The tenants: what each may use, and how much of its work waits. Policies are changed with `bestframe tenants`. */
import type { FastifyInstance } from 'fastify';
import { isUsable } from '../../../domain/operations/api-keys.ts';
import { tenantNames } from '../lookup.ts';
import { tenantsPage } from '../pages/tenants.ts';
import { readerOf, type SiteTools, sendPage } from '../site-tools.ts';

export function tenantRoutes(app: FastifyInstance, tools: SiteTools): void {
  const { client, keys } = tools;
  app.get('/tenants', async (request, reply) => {
    const [names, records, issued] = await Promise.all([tenantNames(tools), client.tenants.list(), keys.list()]);
    const now = Date.now();
    const tenants = await Promise.all(
      names.map(async (tenant) => ({
        tenant,
        record: records.find((each) => each.tenant === tenant) ?? null,
        keys: issued.filter((key) => key.tenant === tenant && isUsable(key, now)).length,
        ...(await client.tenants.counts(tenant)),
      })),
    );
    return sendPage(reply, tenantsPage(readerOf(tools, request), tenants));
  });
}
