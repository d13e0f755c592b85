/**
 * Runs in a worker process before the worker's own code (`node --import`). The product contains no code for the chaos kit: only
 * this file lets the kit act inside the product. The environment variable CHAOS holds the instructions as JSON:
 *
 * `hooks`: [{ at, nth, act, ms, id }]  act at a named point, the nth time that it is reached;
 * `changes`: [{ file, find, put }]     change a product file, to remove a protection.
 *
 * Points: `script:<name>:before|after` around each script, including BullMQ's; `edge:<port>.<method>:before|after`
 * around each external call of a stage; `stage:<name>:begin|end`. An action runs synchronously at its point.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { register } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { hooks = [], changes = [] } = JSON.parse(process.env.CHAOS ?? '{}');
// Workers and the command line lie at different depths of the built product.
let built = dirname(process.argv[1] ?? '');
while (!fs.existsSync(join(built, 'src', 'domain')) && built !== dirname(built)) built = dirname(built);
const src = join(built, 'src');

// ── removed protections ─────────────────────────────────────────────────────────────────────────────────────────────

for (const { file } of changes) {
  // The loader only sees files that are imported, so a wrong path would silently change nothing.
  if (!fs.existsSync(join(src, file))) throw new Error(`the product has no file ${file} to change`);
}
if (changes.length > 0) register(new URL('./loader.mjs', import.meta.url), { data: changes });

// ── named points ────────────────────────────────────────────────────────────────────────────────────────────────────

const counts = hooks.map(() => 0);
/** Maps script digests to names. */
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
    case 'stop': // the fault sends SIGCONT later
      process.kill(process.pid, 'SIGSTOP');
      break;
    case 'block':
    case 'report': // blocks long enough for the test to react to the report
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
  const scripts = await import(pathToFileURL(join(src, 'redis', 'scripts', 'run.js')).href);
  for (const name of scripts.SCRIPT_NAMES) names.set(scripts.loadScript(name).sha, name);
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
    // This handler runs before the code that awaits the reply, because that code registers its own handler later.
    command.promise.then(
      () => point(`script:${name}:after`, args),
      () => undefined,
    );
    return sendCommand.call(this, command, ...rest);
  };

  const { stages } = await import(pathToFileURL(join(src, 'pipeline', 'stages', 'index.js')).href);
  for (const [stage, run] of Object.entries({ ...stages })) {
    if (run.length < 2) continue; // it only looks at what is open
    stages[stage] = async (input, context, ...more) => {
      point(`stage:${stage}:begin`, input.id);
      const { edges } = context;
      const given = edges === undefined ? context : { ...context, edges: instrument(edges, input.id) };
      const outcome = await run(input, given, ...more);
      point(`stage:${stage}:end`, input.id);
      return outcome;
    };
  }
}

/** Finds a script by its digest, or by its text if Redis did not know the digest. */
function nameOf({ name, args: [script] }) {
  if (name === 'evalsha') return names.get(script);
  return name === 'eval' ? names.get(sha(script)) : undefined;
}

function instrument(edges, id) {
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
