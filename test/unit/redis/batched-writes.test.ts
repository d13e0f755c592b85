/** Commands that are issued in one turn of the event loop reach Redis together. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectProducer, connectWorker, waitUntilReady } from '../../../src/redis/connection.ts';
import { redisSettings } from '../../../src/redis/redis-url.ts';

const COMMAND = /\*\d+\r\n\$\d+\r\n(\w+)/g;
/** The names of the commands in each piece that arrived. */
const pieces: string[][] = [];
const sockets = new Set<Socket>();
/** Answers every command. It is not Redis, because only a server sees in which pieces commands arrive. */
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on('data', (bytes) => {
    const names = [...bytes.toString('latin1').matchAll(COMMAND)].map(([, name = '']) => name.toLowerCase());
    pieces.push(names);
    for (const name of names) socket.write(name === 'info' ? '$17\r\nredis_version:7.0\r\n' : '+OK\r\n');
  });
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

it.each([
  ['a producer', connectProducer],
  ['a worker', connectWorker],
])('on the connection of %s', async (_whose, connect) => {
  const { port } = server.address() as AddressInfo;
  const redis = connect(redisSettings(`redis://127.0.0.1:${port}`, 'redis'));
  try {
    await waitUntilReady(redis, 5_000);
    pieces.length = 0;
    const first = Promise.all([redis.get('a'), redis.set('b', '1'), redis.lpush('c', Buffer.from([1, 2]))]);
    const second = Promise.resolve().then(() => redis.incr('d'));
    await first;
    await second;
    await redis.get('e');
    expect(pieces).toEqual([['get', 'set', 'lpush', 'incr'], ['get']]);
  } finally {
    redis.disconnect();
  }
});
