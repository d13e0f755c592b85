import { describe, expect, it } from 'vitest';
import { Failure } from '../../../src/domain/errors/failure.ts';
import { type RedisSettings, readRedisUrl, redisSettings } from '../../../src/redis/redis-url.ts';

const PLAIN: RedisSettings = {
  kind: 'server',
  nodes: [{ host: 'a.example', port: 6379 }],
  primary: '',
  db: 0,
  login: null,
  sentinelLogin: null,
  tls: false,
};
const at = (host: string, port: number) => ({ host, port });

describe('every form of URL is parsed', () => {
  it.each<[url: string, settings: Partial<RedisSettings>]>([
    ['redis://a.example', {}],
    ['redis://a.example/', {}],
    ['redis://a.example:7000/2', { nodes: [at('a.example', 7000)], db: 2 }],
    ['rediss://a.example', { tls: true }],
    ['redis://[::1]:7000', { nodes: [at('::1', 7000)] }],
    ['redis://:word@a.example', { login: { password: 'word' } }],
    ['redis://maria:w%40rd%2F%3A+@a.example', { login: { username: 'maria', password: 'w@rd/:+' } }],
    ['redis://maria:a:b@a.example', { login: { username: 'maria', password: 'a:b' } }],
    [
      'redis+sentinel://a.example,b.example:7001/faces',
      { kind: 'sentinel', nodes: [at('a.example', 26379), at('b.example', 7001)], primary: 'faces' },
    ],
    [
      'rediss+sentinel://:word@a.example:7000/faces?db=3&sentinelUser=eve&sentinelPassword=a%26b=+',
      {
        kind: 'sentinel',
        nodes: [at('a.example', 7000)],
        primary: 'faces',
        db: 3,
        login: { password: 'word' },
        sentinelLogin: { username: 'eve', password: 'a&b=+' },
        tls: true,
      },
    ],
    [
      'redis+cluster://a.example,b.example:7001',
      { kind: 'cluster', nodes: [at('a.example', 6379), at('b.example', 7001)] },
    ],
    [
      'rediss+cluster://maria:word@a.example',
      { kind: 'cluster', login: { username: 'maria', password: 'word' }, tls: true },
    ],
  ])('%s', (url, settings) => {
    expect(readRedisUrl(url)).toEqual({ settings: { ...PLAIN, ...settings } });
  });
});

describe('an invalid URL is explained, with a remedy and without any part of the URL', () => {
  it.each([
    ['', 'is not a Redis URL: write redis://host:port'],
    ['a.example:6379', 'is not a Redis URL'],
    ['https://a.example', 'is not a Redis URL'],
    ['redis:a.example', 'is not a Redis URL'],
    ['redis+http://a.example', 'is not a Redis URL'],
    ['redis://:se/cret@a.example', 'in a password write @ as %40, / as %2F'],
    ['redis://:sec?ret@a.example', 'has an invalid address'],
    ['redis://a.example:0', 'has an invalid address: write host:port'],
    ['redis://a.example:70000', 'has an invalid address'],
    ['redis+cluster://a.example,,b.example', 'has an invalid address'],
    ['redis://::1', 'an IPv6 address in [ ]'],
    ['redis://a.example,b.example', 'names several servers: write redis+sentinel://'],
    ['redis://secret@a.example', 'has a user without a password: write user:password@'],
    ['redis://secret:@a.example', 'has a user without a password'],
    ['redis://:sec%ret@a.example', 'write @ as %40'],
    ['redis://a.example/one', 'has a database that is not a number'],
    ['redis://a.example?db=1', 'has an unknown option: use none'],
    [
      'redis+sentinel://a.example/faces?password=secret',
      'use none, or with Sentinel only db, sentinelUser, sentinelPassword',
    ],
    ['redis+sentinel://a.example/faces?sentinelPassword=sec%ret', 'write @ as %40'],
    ['redis+sentinel://a.example/faces?sentinelUser=secret', 'write both'],
    ['redis+sentinel://a.example', 'does not name the primary'],
    ['redis+cluster://a.example/1', 'has a database: leave it out'],
  ])('%s', (url, text) => {
    const parsed = readRedisUrl(url);
    expect(parsed).toEqual({ fault: expect.stringContaining(text) });
    for (const part of ['secret', 'cret', 'sec', 'a.example']) expect(JSON.stringify(parsed)).not.toContain(part);
  });

  it('the error starts with the name of the setting that contains the URL', () => {
    expect(() => redisSettings('redis', 'REDIS_URL')).toThrow(Failure);
    expect(() => redisSettings('redis', 'REDIS_URL')).toThrow(/^REDIS_URL is not a Redis URL: /);
  });
});
