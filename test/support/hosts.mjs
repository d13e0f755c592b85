/**
 * Plays several hosts on one machine: HTTP API, verify worker and erase worker each have a network and a mount namespace of their
 * own, in which a fresh file system hides the others' folders. They reach Redis and the emulator, and nothing else. Sends files to the
 * API, reads the frames, erases a verification, and prints what it saw as one line of JSON.
 *
 * `test/long/several-hosts.test.ts` starts this file in namespaces in which it may configure networks. Reads TASK from the
 * environment: { dir, redis: { command, env }, files: { <key>: { liveData, image } } }.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { EmulatorControl } from '../../dist/src/emulator/control.js';

const REGION = 'ap-singapore';
const CLI = join(import.meta.dirname, '..', '..', 'dist', 'src', 'cli', 'main.js');
const { dir, redis, files } = JSON.parse(process.env.TASK);
/** The same path on every host, with another file system behind it. */
const disk = join(dir, 'disk');
const ip = (...args) => execFileSync('ip', args);
const children = [];

function start(command, args, env) {
  const child = spawn(command, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  child.stderr.on('data', (text) => process.stderr.write(text));
  const lines = createInterface({ input: child.stdout });
  const line = (pattern) =>
    new Promise((resolve, reject) => {
      lines.on('line', (text) => pattern.test(text) && resolve(text));
      child.once('close', (code) => reject(new Error(`${command} ${args.join(' ')} ended with ${code}`)));
    });
  return { child, line };
}

async function until(what, probe) {
  for (let round = 0; round < 600; round += 1) {
    const found = await probe().catch(() => null);
    if (found !== null && found !== false) return found;
    await pause(100);
  }
  throw new Error(`${what} did not happen within a minute`);
}

/** Waits for the network, which the parent configures once the namespaces exist. Keeps /tmp if the program itself is in it. */
const IN_HOST = `
  case "$PROGRAM" in /tmp/*) ;; *) mount -t tmpfs none /tmp ;; esac
  mount -t tmpfs none "$DISK" && cp "$CA" "$DISK/ca.pem" && echo "$NAME" > "$DISK/host"
  echo isolated
  until ip link show eth0 > /dev/null 2>&1; do sleep 0.05; done
  ip link set lo up && ip addr add "$ADDRESS/24" dev eth0 && ip link set eth0 up && exec "$@"`;

async function startHost(name, number, args, env) {
  const address = `10.77.${number}.2`;
  const shell = ['--net', '--mount', '--', 'sh', '-ec', IN_HOST, 'sh', process.execPath, CLI, ...args];
  const host = start('unshare', shell, { ...env, NAME: name, ADDRESS: address, DISK: disk, PROGRAM: CLI });
  await host.line(/^isolated$/);
  ip('link', 'add', `host${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(host.child.pid));
  ip('addr', 'add', `10.77.${number}.1/24`, 'dev', `host${number}`);
  ip('link', 'set', `host${number}`, 'up');
  return { address, within: (...command) => within(host.child.pid, command) };
}

function within(pid, command) {
  return execFileSync('nsenter', ['--target', String(pid), '--net', '--mount', ...command], {
    stdio: 'pipe',
  }).toString();
}

async function run() {
  ip('link', 'set', 'lo', 'up');
  start(redis.command, ['--bind', '0.0.0.0', '--protected-mode', 'no', '--save', '', '--dir', dir], redis.env);
  const addresses = ['--host', '0.0.0.0', '--port', '8443', '--control-port', '8444', '--dir', join(dir, 'emulator')];
  const emulator = JSON.parse(await start(process.execPath, [CLI, 'emulator', ...addresses, '--json'], {}).line(/^\{/));
  const control = new EmulatorControl('http://127.0.0.1:8444');
  const bucket = emulator.buckets.find(({ region }) => region === REGION).name;
  const namespace = randomBytes(32).toString('hex');
  const settings = (gateway, folder) => ({
    BESTFRAME_MODE: 'test',
    BESTFRAME_NAMESPACE: namespace,
    BESTFRAME_REDIS_URL: `redis://${gateway}:6379`,
    BESTFRAME_PROXY: `http://${gateway}:8443`,
    BESTFRAME_REGIONS: REGION,
    BESTFRAME_BUCKETS: `${REGION}=${bucket}`,
    BESTFRAME_STAGING_DIR: 'cos:staged',
    BESTFRAME_CA_FILE: join(folder, 'ca.pem'),
    BESTFRAME_SPOOL_DIR: join(folder, 'spool'),
    BESTFRAME_FRAMES_DIR: join(folder, 'frames'),
    BESTFRAME_AUDIT: 'stdout',
    BESTFRAME_API_HOST: '0.0.0.0',
    BESTFRAME_API_PORT: '8080',
    TENCENTCLOUD_SECRET_ID: emulator.credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: emulator.credentials.secretKey,
  });
  const cli = (...args) =>
    execFileSync(process.execPath, [CLI, ...args, '--json'], {
      env: { PATH: process.env.PATH, ...settings('127.0.0.1', dir), BESTFRAME_CA_FILE: emulator.caFile },
    }).toString();
  await until('Redis', async () => cli('keys', 'list'));
  const scopes = ['--scopes', 'submit,read,frames,erase'];
  const { secret } = JSON.parse(cli('keys', 'create', '--tenant', 'shop', ...scopes));
  const hosts = {};
  for (const [index, name] of ['api', 'verify', 'erase'].entries()) {
    const number = index + 1;
    const env = { ...settings(`10.77.${number}.1`, disk), CA: emulator.caFile };
    hosts[name] = await startHost(name, number, ['start', name], env);
  }
  const url = `http://${hosts.api.address}:8080`;
  const call = (method, path, body) =>
    fetch(`${url}${path}`, { method, body, headers: { authorization: `Bearer ${secret}` } });
  await until('the API', async () => (await call('GET', '/readyz')).ok);

  const send = async (key, wait, more) => {
    const form = new FormData();
    form.set('verification', new Blob([JSON.stringify({ key, region: REGION, ...more })]), 'verification.json');
    for (const name of ['liveData', 'image']) form.set(name, new Blob([await readFile(files[key][name])]), name);
    const answer = await call('POST', `/v1/verifications?wait=${wait}`, form);
    return { status: answer.status, ...(await answer.json()) };
  };
  const verified = [];
  for (const upload of ['own-bucket', 'create-upload-url']) {
    const frame = { to: 'cos', bucket, region: REGION, key: `bestframe/t/shop/${upload}.jpg` };
    const { id, decision, detail } = await send(upload, 30, { upload, frame });
    const stored = await until(
      `the frame of ${upload} ${detail}`,
      async () => (await (await call('GET', `/v1/verifications/${id}`)).json()).frame === 'stored',
    );
    const picture = await call('GET', `/v1/verifications/${id}/best-frame`);
    verified.push({ upload, decision, stored, status: picture.status, type: picture.headers.get('content-type') });
  }

  const detect = 'DetectReflectLivenessAndCompare';
  const hold = await control.fault({ kind: 'hold', action: detect });
  const { id } = await send('erased', 0, { upload: 'own-bucket', frame: { to: 'none' } });
  const objectsOf = async () => (await control.objects()).map((each) => each.key).filter((key) => key.includes(id));
  await control.waitFor({ event: 'held', action: detect });
  const staged = await objectsOf();
  const erased = (await call('DELETE', `/v1/verifications/${id}`)).status;
  await control.release(hold);
  const complete = await until(
    'the erasure',
    async () => (await (await call('GET', `/v1/verifications/${id}/receipt`)).json()).complete,
  );

  const left = async () =>
    (await control.objects()).map((each) => each.key).filter((key) => /\/v[0-9a-z]{25}\//.test(key));
  await until('the end of the last staged object', async () => (await left()).length === 0);
  const reaches = (host, address) => {
    try {
      host.within(
        process.execPath,
        '-e',
        `fetch('${address}', { signal: AbortSignal.timeout(2000) }).catch(() => process.exit(1))`,
      );
      return true;
    } catch {
      return false;
    }
  };
  return {
    verified,
    erased: { staged, status: erased, complete },
    names: Object.values(hosts).map((host) => host.within('cat', join(disk, 'host')).trim()),
    spooled: hosts.api.within('ls', '-A', join(disk, 'spool')).trim(),
    reach: { emulator: reaches(hosts.verify, 'http://10.77.2.1:8444'), api: reaches(hosts.verify, url) },
  };
}

try {
  console.log(JSON.stringify(await run()));
} finally {
  for (const child of children.reverse()) child.kill('SIGTERM');
}
process.exit();
