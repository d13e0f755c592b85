/** Judges Redis by its INFO output alone, since providers often forbid CONFIG. Pure functions. */
import type { Finding } from './run-checks.ts';

export type RedisInfo = ReadonlyMap<string, string>;

/** The first version with the Lua features that our scripts use; BullMQ requires it too. */
const MIN_VERSION = [6, 2];
const SLOW_MS = 20;

export function parseInfo(text: string): RedisInfo {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^([a-z0-9_]+):(.*?)\r?$/i.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}

export function versionFinding(info: RedisInfo): Finding {
  const valkey = info.get('valkey_version');
  // Valkey also reports the redis_version that it is compatible with.
  const version = info.get('redis_version') ?? valkey;
  if (version === undefined) {
    const advice = `Make sure that it is Redis ${MIN_VERSION.join('.')} or newer, or Valkey.`;
    return { status: 'warn', found: 'INFO does not contain the version', advice };
  }
  const found = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey} (compatible with Redis ${version})`;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [minMajor = 0, minMinor = 0] = MIN_VERSION;
  if (major > minMajor || (major === minMajor && minor >= minMinor)) return { status: 'ok', found };
  return { status: 'fail', found, advice: `Use Redis ${MIN_VERSION.join('.')} or newer, or Valkey.` };
}

export function roleFinding(info: RedisInfo): Finding {
  if (info.get('role') !== 'slave') return { status: 'ok', found: 'answers and accepts writes' };
  const advice = 'Point BESTFRAME_REDIS_URL to the primary.';
  return { status: 'fail', found: 'is a replica and accepts no writes', advice };
}

type Durability = 'everysec' | 'none' | 'replica_only' | 'unknown_fsync' | 'unknown';

/**
 * INFO does not contain `appendfsync`. A delayed fsync reveals the policy `everysec`, since only that policy has one; the
 * policy `always` cannot be detected.
 */
export function durabilityOf(info: RedisInfo): Durability {
  const aof = info.get('aof_enabled');
  if (aof === '1') return Number(info.get('aof_delayed_fsync') ?? 0) > 0 ? 'everysec' : 'unknown_fsync';
  if (aof !== '0') return 'unknown';
  return Number(info.get('connected_slaves') ?? 0) > 0 ? 'replica_only' : 'none';
}

export function durabilityFinding(info: RedisInfo): Finding {
  const durability = durabilityOf(info);
  if (info.get('aof_enabled') === '1' && (info.get('aof_last_write_status') ?? 'ok') !== 'ok') {
    const advice = 'Check the disk of the Redis server: until it can write again, Redis refuses writes.';
    return { status: 'fail', found: `${durability}: the last write to the AOF failed`, advice };
  }
  if (durability === 'everysec') {
    const advice = 'A power loss may lose the last second. With appendfsync always, nothing is lost.';
    return { status: 'ok', found: 'everysec: the AOF is flushed every second', advice };
  }
  if (durability === 'unknown_fsync') {
    const advice =
      'Make sure that appendfsync is always, or everysec if losing the last second is acceptable. It must not be no.';
    return { status: 'ok', found: 'unknown_fsync: the AOF is on; INFO does not show how often it is flushed', advice };
  }
  if (durability === 'replica_only') {
    const replicas = info.get('connected_slaves');
    const advice =
      'Turn on the AOF (appendonly yes): replicas lag behind, and lose their data when the primary restarts empty.';
    return { status: 'warn', found: `replica_only: no AOF, ${replicas} replica(s) connected`, advice };
  }
  if (durability === 'none') {
    const advice = 'Turn on the AOF (appendonly yes, appendfsync everysec or always): a restart loses verifications.';
    return { status: 'warn', found: 'none: no AOF and no replica', advice };
  }
  const advice = 'Ask the operator of the server whether it writes an AOF, and how often it is flushed.';
  return { status: 'warn', found: 'unknown: INFO does not describe persistence', advice };
}

export function evictionFinding(info: RedisInfo): Finding {
  const policy = info.get('maxmemory_policy');
  if (policy === 'noeviction') return { status: 'ok', found: 'noeviction' };
  const advice = 'Set maxmemory-policy noeviction: an evicted key is a lost verification.';
  if (policy === undefined) return { status: 'warn', found: 'INFO does not contain maxmemory_policy', advice };
  return { status: 'fail', found: `${policy}: Redis may delete keys when its memory is full`, advice };
}

export function latencyFinding(roundTripsMs: readonly number[]): Finding {
  const sorted = [...roundTripsMs].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const worst = sorted.at(-1) ?? Number.NaN;
  const found = `${median.toFixed(1)} ms, median of ${roundTripsMs.length} PINGs (worst ${worst.toFixed(1)} ms)`;
  if (median < SLOW_MS) return { status: 'ok', found };
  const advice = 'Run the workers close to Redis: each stage of a verification waits for several round trips.';
  return { status: 'warn', found, advice };
}
