/**
 * Goes into a worker process before its own code (`node --import`), and is the only place where the kit reaches into the
 * product: not a line of it knows. BESTFRAME's settings are left alone; CHAOS says, in JSON,
 *
 * `hooks`: [{ at, nth, act, ms, id }]  what happens at a named point, the nth time that it is reached;
 * `changes`: [{ file, find, put }]     what is different in a file of the product: a protection that is taken away.
 *
 * Points: `script:<name>:before|after` around each script and each of BullMQ's; `edge:<port>.<method>:before|after` around each
 * call of a stage to the outside; `stage:<name>:begin|end`. Acts are done right there, synchronously.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { register, syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { hooks = [], changes = [] } = JSON.parse(process.env.CHAOS ?? '{}');
const built = dirname(dirname(process.argv[1] ?? ''));
const src = join(built, 'src');

// ── protections that are taken away ────────────────────────────────────────────────────────────────────────────────

const ofLua = changes.filter(({ file }) => file.endsWith('.lua'));
const ofCode = changes.filter(({ file }) => !file.endsWith('.lua'));
const read = fs.readFileSync;
fs.readFileSync = (path, ...rest) => {
  const text = read(path, ...rest);
  const name = path instanceof URL ? path.pathname : String(path);
  const mine = typeof text === 'string' ? ofLua.filter(({ file }) => name.endsWith(`/${file}`)) : [];
  return mine.reduce((changed, change) => changedBy(changed, change), text);
};
syncBuiltinESMExports();
if (ofCode.length > 0) register(new URL('./loader.mjs', import.meta.url), { data: ofCode });

function changedBy(text, { file, find, put }) {
  if (!text.includes(find)) throw new Error(`${file} has no "${find}" to take away`);
  return text.replace(find, put);
}

// ── named points ───────────────────────────────────────────────────────────────────────────────────────────────────

const counts = hooks.map(() => 0);
/** Of scripts, by their digest. */
const names = new Map();
let fullUntil = 0;

if (hooks.some(({ act: what }) => what === 'full')) {
  const file = await fs.promises.open(process.execPath);
  const { write } = Object.getPrototypeOf(file);
  Object.getPrototypeOf(file).write = function (...args) {
    if (Date.now() >= fullUntil) return write.apply(this, args);
    return Promise.reject(
      Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 }),
    );
  };
  await file.close();
}

function point(name, id = '') {
  hooks.forEach((hook, index) => {
    if (hook.at !== name || (hook.id !== undefined && !id.includes(hook.id))) return;
    counts[index] += 1;
    const nth = hook.nth ?? 1;
    if (nth === 'each' || counts[index] === nth) act(hook, name);
  });
}

function act({ act: what, ms = 0 }, name) {
  fs.writeSync(2, `${JSON.stringify({ chaos: what, at: name, pid: process.pid })}\n`);
  switch (what) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'stop': // whoever started us lets us go on
      process.kill(process.pid, 'SIGSTOP');
      break;
    case 'block':
    case 'tell': // for as long as whoever is told needs to do something about it
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      break;
    case 'exit':
      process.exit(1);
      break;
    case 'full':
      fullUntil = Date.now() + ms;
      break;
    case 'reject':
      Promise.reject(new Error('chaos'));
      break;
    case 'memory': {
      const kept = [];
      for (;;) kept.push(new Array(1_000_000).fill(Math.random()));
    }
  }
}

if (hooks.length > 0) {
  const { default: ioredis } = await import('ioredis');
  for (const file of fs.readdirSync(join(src, 'queue', 'lua')).filter((each) => each.endsWith('.lua'))) {
    const text = fs
      .readFileSync(join(src, 'queue', 'lua', file), 'utf8')
      .replace(/^--@include (\w+)$/gm, (_line, part) =>
        fs.readFileSync(join(src, 'queue', 'lua', 'parts', `${part}.lua`), 'utf8'),
      );
    names.set(sha(text), file.slice(0, -'.lua'.length));
  }
  const { defineCommand, sendCommand } = ioredis.Redis.prototype;
  ioredis.Redis.prototype.defineCommand = function (name, definition) {
    names.set(sha(definition.lua), name.replace(/:.*$/, ''));
    return defineCommand.call(this, name, definition);
  };
  ioredis.Redis.prototype.sendCommand = function (command, ...rest) {
    const name = nameOf(command);
    if (name === undefined) return sendCommand.call(this, command, ...rest);
    const args = command.args.join(' ');
    point(`script:${name}:before`, args);
    // The first to hear of the reply: before whoever waits for it.
    command.promise.then(
      () => point(`script:${name}:after`, args),
      () => undefined,
    );
    return sendCommand.call(this, command, ...rest);
  };

  const { stages } = await import(pathToFileURL(join(src, 'stages', 'index.js')).href);
  for (const [stage, run] of Object.entries({ ...stages })) {
    stages[stage] = async (input, context) => {
      point(`stage:${stage}:begin`, input.id);
      const outcome = await run(input, { ...context, edges: pointed(context.edges, input.id) });
      point(`stage:${stage}:end`, input.id);
      return outcome;
    };
  }
}

/** By digest, and by text where Redis did not know the digest. */
function nameOf({ name, args: [script] }) {
  if (name === 'evalsha') return names.get(script);
  return name === 'eval' ? names.get(sha(script)) : undefined;
}

function pointed(edges, id) {
  const { sources, links, faceId, sink, bucket } = edges;
  return {
    sources: around('sources', sources, id),
    links: around('links', links, id),
    faceId: around('faceId', faceId, id),
    sink: around('sink', sink, id),
    bucket: (region) => around('bucket', bucket(region), id),
  };
}

function around(port, adapter, id) {
  return new Proxy(adapter, {
    get(target, method) {
      const value = Reflect.get(target, method);
      if (typeof value !== 'function') return value;
      return async (...args) => {
        point(`edge:${port}.${String(method)}:before`, id);
        const answer = await value.apply(target, args);
        point(`edge:${port}.${String(method)}:after`, id);
        return answer;
      };
    },
  });
}

function sha(text) {
  return createHash('sha1').update(text).digest('hex');
}
