/**
 * Tests TLS with Sentinel and Cluster, where one server returns the address of another. Certificates are issued for host names,
 * so the connection must use the host name and not the IP address.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { freePort } from '../../../src/dev/free-port.ts';
import { startTethered } from '../../../src/dev/tethered-process.ts';
import { connectProducer, connectWorker, waitUntilReady } from '../../../src/redis/connection.ts';
import { redisSettings } from '../../../src/redis/redis-url.ts';
import { certificate } from '../../support/redis-profiles.ts';
import { binaryOf, type Server, startServer } from '../../support/redis-servers.ts';
import { HOME } from '../../support/rig.ts';

const SOON = { timeout: 20_000, interval: 50 };
const dir = join(HOME, `redis-tls-${process.pid}`);
const ends: (() => Promise<unknown>)[] = [];
let files: string[];
let caFile: string;

beforeAll(async () => {
  ({ files, caFile } = await certificate(dir));
});

afterAll(async () => {
  for (const end of ends.reverse()) await end();
  await rm(dir, { recursive: true, force: true });
});

async function secureServer(name: string, ...more: string[]): Promise<Server & { tlsPort: number }> {
  const tlsPort = await freePort();
  const args = ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...files, ...more];
  const server = await startServer({ dir: join(dir, name), args });
  ends.push(() => server.stop());
  return Object.assign(server, { tlsPort });
}

async function expectWrites(url: string): Promise<void> {
  for (const connect of [connectWorker, connectProducer]) {
    const redis = connect({ ...redisSettings(url, 'url'), caFile });
    redis.on('error', () => undefined);
    await waitUntilReady(redis, 10_000);
    for (const key of ['a', 'b', 'c', 'd']) expect(await redis.set(key, '1')).toBe('OK');
    redis.disconnect();
  }
}

it('writes through Sentinel, in a database other than 0', async () => {
  const { tlsPort, admin } = await secureServer('one', '--tls-replication', 'yes');
  const home = join(dir, 'sentinel');
  await mkdir(home, { recursive: true });
  const port = await freePort();
  const lines = [
    'port 0',
    `tls-port ${port}`,
    'tls-auth-clients no',
    'tls-replication yes',
    'bind 127.0.0.1',
    `dir "${home}"`,
    ...[0, 2, 4].map((index) => `${files[index]?.slice(2)} "${files[index + 1]}"`),
    'sentinel resolve-hostnames yes',
    'sentinel announce-hostnames yes',
    `sentinel monitor faces localhost ${tlsPort} 1`,
  ];
  await writeFile(join(home, 'sentinel.conf'), `${lines.join('\n')}\n`);
  const { command, env } = await binaryOf('redis-server');
  const sentinel = startTethered(command, [join(home, 'sentinel.conf'), '--sentinel'], { dir: home, env });
  ends.push(() => sentinel.stop());
  await expectWrites(`rediss+sentinel://localhost:${port}/faces?db=1`);
  await admin.select(1);
  expect(await admin.get('a')).toBe('1');
});

it('writes to every node of a Cluster', async () => {
  const bus = await Promise.all([freePort(), freePort()]);
  const named = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'];
  const [first, second] = await Promise.all(
    bus.map((port, index) => {
      const mode = ['--cluster-enabled', 'yes', '--cluster-port', String(port), '--tls-cluster', 'yes'];
      return secureServer(`node-${index}`, ...mode, ...named);
    }),
  );
  if (first === undefined || second === undefined) throw new Error('the servers were not started');
  await first.admin.cluster('ADDSLOTS', ...Array.from({ length: 8_192 }, (_, slot) => slot));
  await second.admin.cluster('ADDSLOTS', ...Array.from({ length: 8_192 }, (_, slot) => 8_192 + slot));
  await first.admin.cluster('MEET', '127.0.0.1', second.tlsPort, String(bus[1]));
  const known = async ({ admin }: Server) => {
    const slots = await admin.cluster('SLOTS');
    return slots.length === 2 && slots.every(([, , node]) => node?.[0] === 'localhost');
  };
  await vi.waitUntil(async () => (await known(first)) && (await known(second)), SOON);
  await expectWrites(`rediss+cluster://localhost:${first.tlsPort}`);
});
