/**
 * Tests that the receipt of an erasure says whether Redis has rewritten its append-only file (AOF) since, and that Bestframe asks for
 * a rewrite at most once an hour, where it may.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEdges } from '../../src/app/edges.ts';
import { namespaceOf } from '../../src/app/namespace.ts';
import { Retention } from '../../src/background/retention.ts';
import { receiptOwner } from '../../src/domain/verification/frame-receipt.ts';
import { askForRewrite, observeAof, readAofState } from '../../src/redis/append-only-file.ts';
import type { RedisClient } from '../../src/redis/connection.ts';
import { createDeployment, type Deployment } from '../../src/redis/deployment.ts';
import { type Server, startServer } from '../support/redis-servers.ts';
import { createRig, type Rig } from '../support/rig.ts';

const CANARY = 'maria-lopez';
const ASKED = { by: 'officer', why: 'asked by letter' };

let dir: string;
let server: Server;
let rig: Rig;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bestframe-aof-'));
  server = await startServer({ dir, args: ['--auto-aof-rewrite-percentage', '0'] });
  const { username, password } = server.admin.options;
  const url = `redis://${username}:${password}@127.0.0.1:${server.port}`;
  rig = await createRig({ env: { BESTFRAME_REDIS_URL: url }, emulator: { qps: {} } });
  await rig.openErase();
});
beforeEach(async () => void (await rig.redis.del(rig.names.aofAsked)));
afterAll(async () => {
  await rig.dispose();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The text of all files of the AOF. */
async function aofText(): Promise<string> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = names.filter((each) => each.isFile() && each.name.includes('aof'));
  return (await Promise.all(files.map((each) => readFile(join(each.parentPath, each.name), 'latin1')))).join('');
}

async function erased(key: string): Promise<string> {
  const { id } = await rig.client.enqueue(await rig.request(key));
  await rig.client.erase(id, ASKED);
  await expect.poll(async () => (await rig.client.receipt(id))?.complete, { timeout: 50_000 }).toBe(true);
  return id;
}

const stateOf = async (id: string) => (await rig.client.receipt(id))?.aof;

// One story: in the end, the rights of the user and the server itself change.
describe('in this order', { shuffle: false }, () => {
  it('an erasure is confirmed for the AOF after a rewrite that began later, and the data is then gone from the file', async () => {
    const id = await erased(`${CANARY}-asked`);
    expect(await aofText()).toContain(CANARY);
    const before = await rig.client.receipt(id);
    expect(before).toMatchObject({ aof: 'not_yet' });
    expect(before?.notConfirmed.join()).toContain("Redis's append-only file until it is rewritten");
    expect(await rig.client.rewriteAof()).toBe('asked');
    await expect.poll(() => stateOf(id), { timeout: 30_000 }).toBe('rewritten');
    await expect.poll(aofText, { timeout: 30_000 }).not.toContain(CANARY);
    expect((await rig.client.receipt(id))?.notConfirmed.join()).not.toContain('append-only');
    expect(await rig.client.rewriteAof()).toBe('recently');
  });

  it('a rewrite that Redis began by itself counts too', async () => {
    const id = await erased(`${CANARY}-itself`);
    expect(await stateOf(id)).toBe('not_yet');
    await server.admin.bgrewriteaof();
    await expect.poll(() => stateOf(id), { timeout: 30_000 }).toBe('rewritten');
  });

  it('the erase worker asks by itself after an erasure if it is told to, once', async () => {
    const { edges, evidence, close } = openEdges(rig.config);
    const retention = (rewriteAof: boolean) =>
      new Retention({
        ...{ deployment: rig.deployment, sink: edges.sink, evidence, recordTtlMs: 1e9, keepFramesMs: 1e9, rewriteAof },
        ...{ receiptOwner: receiptOwner(namespaceOf(rig.config), rig.config), log: pino({ level: 'silent' }) },
      });
    const rewrites = async () => /aof_rewrites:(\d+)/.exec(await server.admin.info('persistence'))?.[1];
    const id = await erased(`${CANARY}-setting`);
    const start = await rewrites();
    await retention(false).tendAof();
    expect(await rewrites()).toBe(start);
    await retention(true).tendAof();
    await expect.poll(() => stateOf(id), { timeout: 30_000 }).toBe('rewritten');
    await rig.redis.del(rig.names.aofAsked);
    await retention(true).tendAof(); // there was no erasure since
    expect(await rewrites()).toBe(String(Number(start) + 1));
    await close();
  });

  it('says so if Redis does not allow it, has no AOF or does not tell', async () => {
    await server.admin.acl('SETUSER', 'limited', 'on', '>limited', '~*', '&*', '+@all', '-bgrewriteaof');
    const as = async (change: (admin: Server['admin']) => Promise<unknown>, user = 'admin') => {
      const login = user === 'admin' ? server.admin.options : { username: user, password: user };
      const connection = server.admin.duplicate({ username: login.username ?? '', password: login.password ?? '' });
      await change(server.admin);
      const deployment = createDeployment(connection, rig.config.prefix);
      const answer = [await askForRewrite(deployment), await readAofState(deployment, 1)];
      connection.disconnect();
      await rig.redis.del(rig.names.aofAsked);
      return answer;
    };
    expect((await as(async () => undefined, 'limited'))[0]).toBe('not_allowed');
    expect(await as((admin) => admin.acl('SETUSER', 'limited', '-info'), 'limited')).toEqual(['unknown', 'unknown']);
    expect(await as((admin) => admin.config('SET', 'appendonly', 'no'))).toEqual(['off', 'off']);
  });

  it('counts only rewrites that began after the deletion, also over a restart of Redis', async () => {
    const state = { time: 0, rewrites: 0, running: 0, run: 'a', status: 'ok' };
    const stored: Record<string, string> = {};
    const redis = {
      isCluster: false,
      time: async () => [Math.floor(state.time / 1_000), (state.time % 1_000) * 1_000],
      info: async () =>
        [
          `run_id:${state.run}`,
          'aof_enabled:1',
          `aof_rewrites:${state.rewrites}`,
          `aof_rewrite_in_progress:${state.running}`,
          `aof_last_bgrewrite_status:${state.status}`,
        ].join('\r\n'),
      hgetall: async () => ({ ...stored }),
      hset: async (_key: string, fields: object) => void Object.assign(stored, JSON.parse(JSON.stringify(fields))),
      hdel: async (_key: string, field: string) => void delete stored[field],
    };
    const { names, sealer } = rig.deployment;
    const deployment = { redis: redis as unknown as RedisClient, names, sealer } as Deployment;
    const at = async (time: number, change: Partial<typeof state> = {}) => {
      Object.assign(state, { time, ...change });
      return (await observeAof(deployment))?.rewrittenBefore;
    };
    expect(await at(100)).toBe(0);
    expect(await at(200, { rewrites: 1, running: 1 })).toBe(0); // it began after 100
    expect(await at(300, { running: 0 })).toBe(100); // so data that was deleted at 250 may still be in the file
    expect(await at(400, { rewrites: 2, running: 0, status: 'err' })).toBe(100); // a failed rewrite changes nothing
    expect(await at(500, { rewrites: 3, status: 'ok' })).toBe(400);
    expect(await at(600, { rewrites: 4, running: 1 })).toBe(400);
    expect(await at(700, { run: 'b', rewrites: 0, running: 0 })).toBe(400); // it never finished
    expect(await at(800, { rewrites: 1 })).toBe(700);
  });
});
