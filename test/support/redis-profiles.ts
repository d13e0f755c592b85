/**
 * Redis profiles. Each profile starts Redis in one of the setups that people use. It returns the settings that connect the
 * product to this Redis, as documented in docs/redis.md.
 */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import { freePort } from '../../src/dev/free-port.ts';
import { DEFAULT_PREFIX } from '../../src/redis/names.ts';
import {
  PRIMARY,
  SENTINEL_PASSWORD,
  type Server,
  type ServerOptions,
  startCluster,
  startSentinels,
  startServer,
  untilFollowing,
} from './redis-servers.ts';
import { documentedUser } from './redis-user.ts';

export interface RedisProfile {
  readonly env: Readonly<Record<string, string>>;
  /** The data servers, without the Sentinels. */
  readonly servers: readonly Server[];
  /** @returns the server that holds our keys and accepts writes. */
  primary(): Promise<Server>;
  stop(): Promise<void>;
}

type Start = (dir: string) => Promise<RedisProfile>;

async function one(options: ServerOptions, url = (port: number) => `redis://127.0.0.1:${port}`): Promise<RedisProfile> {
  const server = await startServer(options);
  return {
    env: { BESTFRAME_REDIS_URL: url(server.port) },
    servers: [server],
    primary: async () => server,
    stop: () => server.stop(),
  };
}

export const oneServer = (dir: string, args: readonly string[] = []): Promise<RedisProfile> => one({ dir, args });

const byTls: Start = async (dir) => {
  const { name, password, rules } = documentedUser();
  const { files, caFile } = await certificate(dir);
  const port = await freePort();
  const close = async (admin: Server['admin']) => {
    await admin.acl('SETUSER', name, ...rules);
    await admin.acl('SETUSER', 'default', 'off');
    await admin.config('SET', 'port', '0');
  };
  const args = ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
  const profile = await one({ dir, args, close }, () => `rediss://${name}:${password}@localhost:${port}`);
  return { ...profile, env: { ...profile.env, BESTFRAME_REDIS_CA_FILE: caFile } };
};

/** Starts a primary, its replica and three Sentinels. */
export const withSentinels: Start = async (dir) => {
  const password = 'p@ss/word%1';
  const close = (admin: Server['admin']) => admin.config('SET', 'requirepass', password);
  const first = await startServer({ dir: join(dir, 'a'), close });
  const args = ['--replicaof', '127.0.0.1', String(first.port)];
  const second = await startServer({ dir: join(dir, 'b'), args, close });
  await untilFollowing(second);
  const servers = [first, second];
  const sentinels = await startSentinels(dir, first, password);
  const hosts = sentinels.ports.map((port) => `127.0.0.1:${port}`).join(',');
  const login = `:${encodeURIComponent(password)}`;
  const url = `redis+sentinel://${login}@${hosts}/${PRIMARY}?sentinelPassword=${encodeURIComponent(SENTINEL_PASSWORD)}`;
  return {
    env: { BESTFRAME_REDIS_URL: url },
    servers,
    async primary() {
      const port = await sentinels.primary();
      const found = servers.find((server) => server.port === port);
      if (found === undefined) throw new Error('the Sentinels name a server that this profile did not start');
      return found;
    },
    async stop() {
      await sentinels.stop();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
};

/** Starts three masters with a third of the slots each, and a replica of the master that holds our keys. */
export const inCluster: Start = async (dir) => {
  const { name, password, rules, forCluster } = documentedUser();
  const close = async (admin: Server['admin']) => {
    await admin.acl('SETUSER', name, ...rules, ...forCluster);
    await admin.acl('SETUSER', 'default', 'off');
  };
  const { servers, primaryOf, stop } = await startCluster({ dir, close, replicas: 1, key: DEFAULT_PREFIX });
  const hosts = servers.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`);
  return {
    env: { BESTFRAME_REDIS_URL: `redis+cluster://${name}:${password}@${hosts.join(',')}` },
    servers,
    primary: () => primaryOf(DEFAULT_PREFIX),
    stop,
  };
};

/**
 * Starts a primary and its replica behind one address. The address leads to the primary until `move` promotes the
 * replica and sends new connections there. Existing connections stay on the old primary.
 */
export const atMovingAddress = async (dir: string): Promise<RedisProfile & { move(): Promise<void> }> => {
  const first = await startServer({ dir: join(dir, 'a') });
  const second = await startServer({ dir: join(dir, 'b'), args: ['--replicaof', '127.0.0.1', String(first.port)] });
  await untilFollowing(second);
  let leadsTo = first.port;
  const sockets = new Set<Socket>();
  const forward = createServer((client) => {
    const server = connect(leadsTo, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => undefined)
        .on('close', () => to.destroy())
        .pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(forward, 'listening');
  const { port } = forward.address() as AddressInfo;
  return {
    env: { BESTFRAME_REDIS_URL: `redis://127.0.0.1:${port}` },
    servers: [first, second],
    primary: async () => (leadsTo === first.port ? first : second),
    async move() {
      await second.admin.replicaof('NO', 'ONE');
      leadsTo = second.port;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      forward.close();
      await Promise.all([first.stop(), second.stop()]);
    },
  };
};

const valkey: Start = (dir) => one({ dir, kind: 'valkey-server' });

/** Commands that managed providers forbid to their customers. */
const FORBIDDEN =
  'config debug wait acl save bgsave bgrewriteaof lastsave shutdown replicaof slaveof psync sync migrate module monitor cluster failover client|kill client|list client|pause';

const managed: Start = (dir) => {
  const without = FORBIDDEN.split(' ').map((command) => `-${command}`);
  return one(
    { dir, close: (admin) => admin.acl('SETUSER', 'default', ...without) },
    (port) => `redis://127.0.0.1:${port}/1`,
  );
};

export const PROFILES: Readonly<Record<string, Start>> = {
  'one server': (dir) => oneServer(dir),
  'TLS, with the user of docs/redis.md': byTls,
  Sentinel: withSentinels,
  'Cluster, with the user of docs/redis.md': inCluster,
  Valkey: valkey,
  'a managed provider that forbids commands': managed,
};

/** Creates a self-signed certificate for localhost. */
export async function certificate(dir: string): Promise<{ caFile: string; keyFile: string; files: string[] }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const extensions = [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])];
  const made = { name: 'CN=localhost', signingAlgorithm: algorithm, keys, extensions };
  const pem = (await X509CertificateGenerator.createSelfSigned(made, webcrypto)).toString('pem');
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  await mkdir(dir, { recursive: true });
  await writeFile(certFile, pem);
  await writeFile(keyFile, `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`, { mode: 0o600 });
  return {
    caFile: certFile,
    keyFile,
    files: ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', certFile],
  };
}
