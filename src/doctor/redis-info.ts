/** What Redis says of itself in INFO, judged. Nothing here asks: a server that forbids CONFIG is judged as well. */
import type { Finding } from './check.ts';

export type RedisInfo = ReadonlyMap<string, string>;

/** Lua with what the scripts use, and what BullMQ asks for. */
const LEAST_VERSION = [6, 2];
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
  // Valkey gives a redis_version as well: the one whose commands it has.
  const version = info.get('redis_version') ?? valkey;
  if (version === undefined) {
    const advice = `See that it is Redis ${LEAST_VERSION.join('.')} or newer, or Valkey.`;
    return { status: 'warn', found: 'it does not tell its version', advice };
  }
  const found = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey} (as Redis ${version})`;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = LEAST_VERSION;
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return { status: 'ok', found };
  return { status: 'fail', found, advice: `Use Redis ${LEAST_VERSION.join('.')} or newer, or Valkey.` };
}

export function roleFinding(info: RedisInfo): Finding {
  if (info.get('role') !== 'slave') return { status: 'ok', found: 'it answers, and takes writes' };
  const advice = 'Let BESTFRAME_REDIS_URL lead to the primary.';
  return { status: 'fail', found: 'it is a replica: it takes no writes', advice };
}

/**
 * `everysec`, `none`, `replica-only`, `unknown fsync` or `unknown`. INFO has no `appendfsync`; only a delayed fsync, which
 * the policy `everysec` alone has, gives it away. So `always` is never said.
 */
export function durabilityOf(info: RedisInfo): 'everysec' | 'none' | 'replica-only' | 'unknown fsync' | 'unknown' {
  const aof = info.get('aof_enabled');
  if (aof === '1') return Number(info.get('aof_delayed_fsync') ?? 0) > 0 ? 'everysec' : 'unknown fsync';
  if (aof !== '0') return 'unknown';
  return Number(info.get('connected_slaves') ?? 0) > 0 ? 'replica-only' : 'none';
}

export function durabilityFinding(info: RedisInfo): Finding {
  const durability = durabilityOf(info);
  if (info.get('aof_enabled') === '1' && (info.get('aof_last_write_status') ?? 'ok') !== 'ok') {
    const advice = 'Look at the disk of the Redis server: until it can write again, Redis refuses to be written to.';
    return { status: 'fail', found: `${durability}: the last write of the AOF went wrong`, advice };
  }
  if (durability === 'everysec') {
    const advice = 'A machine that loses power may lose the last second; with appendfsync always it loses nothing.';
    return { status: 'ok', found: 'everysec: AOF, flushed every second', advice };
  }
  if (durability === 'unknown fsync') {
    const advice = 'See that appendfsync is always, or everysec where the last second may be lost; not no.';
    return { status: 'ok', found: 'unknown fsync: AOF is on; INFO does not tell how often it is flushed', advice };
  }
  if (durability === 'replica-only') {
    const replicas = info.get('connected_slaves');
    const advice = 'Turn the AOF on (appendonly yes): replicas follow a moment late, and empty themselves with it.';
    return { status: 'warn', found: `replica-only: no AOF, ${replicas} replica(s) connected`, advice };
  }
  if (durability === 'none') {
    const advice = 'Turn the AOF on (appendonly yes, appendfsync everysec or always): a restart loses verifications.';
    return { status: 'warn', found: 'none: no AOF and no replica', advice };
  }
  const advice = 'Ask whoever runs it whether it writes an AOF, and how often that is flushed.';
  return { status: 'warn', found: 'unknown: INFO has nothing on persistence', advice };
}

export function evictionFinding(info: RedisInfo): Finding {
  const policy = info.get('maxmemory_policy');
  if (policy === 'noeviction') return { status: 'ok', found: 'noeviction' };
  const advice = 'Set maxmemory-policy noeviction: an evicted key is a verification that is lost.';
  if (policy === undefined) return { status: 'warn', found: 'INFO does not tell maxmemory_policy', advice };
  return { status: 'fail', found: `${policy}: Redis may drop keys when it is full`, advice };
}

/** @param times of round trips, ms. */
export function latencyFinding(times: readonly number[]): Finding {
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const worst = sorted.at(-1) ?? Number.NaN;
  const found = `${median.toFixed(1)} ms, median of ${times.length} PINGs (worst ${worst.toFixed(1)} ms)`;
  if (median < SLOW_MS) return { status: 'ok', found };
  const advice = 'Run workers near their Redis: each stage of a verification waits for several round trips.';
  return { status: 'warn', found, advice };
}
