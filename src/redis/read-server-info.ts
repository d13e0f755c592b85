/** Reads the state of the Redis server that holds the deployment, from INFO. */
import type { RedisServerView } from '../domain/operations/metrics.ts';
import { queryKeyOwner } from './connection.ts';
import type { Deployment } from './deployment.ts';

/** @returns null for each fact that the server does not tell, as some providers' servers do. */
export async function readServerInfo({ redis, names }: Deployment): Promise<RedisServerView> {
  const text = String(await queryKeyOwner(redis, names.live, 'info').catch(() => ''));
  const fields = new Map(
    text.split('\n').map((line) => {
      const [name = '', value = ''] = line.trim().split(':');
      return [name, value] as const;
    }),
  );
  const count = (name: string) => {
    const value = fields.get(name);
    return value === undefined || value === '' ? null : Number(value);
  };
  const statuses = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'];
  const told = statuses.flatMap((name) => fields.get(name) ?? []);
  return {
    memoryBytes: count('used_memory'),
    maxMemoryBytes: count('maxmemory'),
    clients: count('connected_clients'),
    replicas: count('connected_slaves'),
    persists: told.length === 0 ? null : told.every((status) => status === 'ok'),
    evictedKeys: count('evicted_keys'),
    rejectedConnections: count('rejected_connections'),
    commands: count('total_commands_processed'),
  };
}
