/**
 * Tests how the doctor reads the INFO output of servers that the test suite does not run: old versions, Valkey,
 * replicas, and providers that hide fields.
 */
import { describe, expect, it } from 'vitest';
import {
  durabilityFinding,
  durabilityOf,
  evictionFinding,
  latencyFinding,
  parseInfo,
  roleFinding,
  versionFinding,
} from '../../../../src/app/doctor/redis-info.ts';

const info = (...lines: string[]) => parseInfo(['# Section', ...lines, ''].join('\r\n'));

describe('version', () => {
  it.each([
    ['redis_version:7.2.4', 'ok', 'Redis 7.2.4'],
    ['redis_version:6.2.0', 'ok', 'Redis 6.2.0'],
    ['redis_version:10.0.1', 'ok', 'Redis 10.0.1'],
    ['redis_version:6.0.20', 'fail', 'Redis 6.0.20'],
    ['redis_version:5.0.7', 'fail', 'Redis 5.0.7'],
    ['os:Linux', 'warn', 'INFO does not contain the version'],
  ])('judges %s as %s', (line, status, found) => {
    expect(versionFinding(info(line))).toMatchObject({ status, found });
  });

  it('names Valkey, and compares the Redis version that it is compatible with', () => {
    const valkey = info('redis_version:7.2.4', 'server_name:valkey', 'valkey_version:8.1.1');
    expect(versionFinding(valkey)).toEqual({ status: 'ok', found: 'Valkey 8.1.1 (compatible with Redis 7.2.4)' });
  });
});

describe('durability', () => {
  it.each([
    [['aof_enabled:1', 'aof_delayed_fsync:0'], 'unknown_fsync', 'ok'],
    [['aof_enabled:1', 'aof_delayed_fsync:3'], 'everysec', 'ok'],
    [['aof_enabled:1', 'aof_last_write_status:err'], 'unknown_fsync', 'fail'],
    [['aof_enabled:0', 'connected_slaves:2'], 'replica_only', 'warn'],
    [['aof_enabled:0', 'connected_slaves:0'], 'none', 'warn'],
    [['aof_enabled:0'], 'none', 'warn'],
    [['role:master'], 'unknown', 'warn'],
  ] as const)('reads %o as %s', (lines, durability, status) => {
    expect(durabilityOf(info(...lines))).toBe(durability);
    const finding = durabilityFinding(info(...lines));
    expect(finding).toMatchObject({ status, advice: expect.any(String) });
    expect(finding.found.startsWith(durability)).toBe(true);
  });
});

it('judges role, eviction and latency', () => {
  expect(roleFinding(info('role:slave')).status).toBe('fail');
  expect(roleFinding(info()).status).toBe('ok');
  expect(evictionFinding(info('maxmemory_policy:noeviction')).status).toBe('ok');
  expect(evictionFinding(info('maxmemory_policy:volatile-ttl')).status).toBe('fail');
  expect(evictionFinding(info()).status).toBe('warn');
  expect(latencyFinding([900, 1, 2, 1, 1])).toMatchObject({ status: 'ok', found: expect.stringMatching(/^1\.0 ms/) });
  expect(latencyFinding([30, 40, 50])).toMatchObject({ status: 'warn', found: expect.stringMatching(/^40\.0 ms/) });
});
