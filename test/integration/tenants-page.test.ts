/** Tests the page of the tenants on the operators' site. */
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { openDashboard } from '../../src/app/dashboard.ts';
import { ApiKeys } from '../../src/client/redis/api-keys.ts';
import { hashPassword } from '../../src/domain/operations/operators.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { loggedIn } from '../support/site.ts';

const PASSWORD = 'vera-only-looks';

let rig: Rig;
let site: Awaited<ReturnType<typeof openDashboard>>;
let cookie: string;

beforeAll(async () => {
  const users = `vera=viewer=${await hashPassword(PASSWORD)}`;
  rig = await createRig({ env: { BESTFRAME_DASHBOARD_PORT: '0', BESTFRAME_DASHBOARD_USERS: users } });
  site = await openDashboard(readConfig(rig.env), pino({ level: 'silent' }));
  cookie = await loggedIn(site.url, 'vera', PASSWORD);
});
afterAll(async () => {
  await site?.stop(0);
  await rig?.dispose();
});

/** The text of each tenant's row, by name. */
async function rows(language = 'en'): Promise<Map<string, string>> {
  const headers = { cookie, accept: 'text/html', 'accept-language': language };
  const text = await (await fetch(new URL('/tenants', site.url), { headers })).text();
  const found = [...text.matchAll(/<tr>\s*<th scope="row"><a [^>]*>([^<]*)<\/a>(.*?)<\/tr>/gs)];
  return new Map(
    found.map(([, name = '', row = '']) => [name, row.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')]),
  );
}

it('shows the policy, the waiting verifications and the keys of each tenant, and no form', async () => {
  expect((await rows()).size).toBe(0);
  const { tenants } = rig.client;
  await tenants.set({ tenant: 'acme', policy: { httpsHosts: ['old.acme.example'] } }, { by: 'ana' });
  await tenants.set(
    {
      tenant: 'acme',
      policy: { read: [{ region: 'ap-singapore', prefix: 'acme/in/' }], fileRoots: [rig.dir], lanes: ['batch'] },
    },
    { by: 'ana' },
  );
  const keys = new ApiKeys(rig.config.redis, rig.config.prefix);
  const make = (tenant: string) =>
    keys.create({ tenant, mode: 'test', scopes: ['read'], name: 'test', perSecond: 10, lifeMs: null });
  const [, revoked] = [await make('acme'), await make('acme'), await make('borealis'), await make('default')];
  await keys.revoke(revoked.key.id);
  await keys.close();
  const acme = rig.client.forTenant('acme');
  const ids = [];
  for (const name of ['one', 'two', 'three']) {
    ids.push((await acme.enqueue(await rig.request(name, { card: 'match' }, { lane: 'batch' }))).id);
  }
  await acme.cancel(ids[0] ?? '');
  await rig.client.enqueue(await rig.request('of-nobody'));
  const shown = await rows();
  expect([...shown.keys()]).toEqual(['acme', 'borealis', 'default']);
  expect(shown.get('acme')).toMatch(
    /^ 2 .* ana Its own prefix, and files that it sends Reads from buckets: ap-singapore acme\/in\/ Folders: \/.+ Lanes: batch 2 3 1 $/,
  );
  expect(shown.get('acme')).not.toContain('old.acme.example');
  expect(shown.get('borealis')).toBe(' no policy Its own prefix, and files that it sends 0 0 1 ');
  expect(shown.get('default')).toBe(' no policy Every place that the workers can reach 0 0 1 ');
  expect((await rows('zh')).get('borealis')).toContain('无策略');
});
