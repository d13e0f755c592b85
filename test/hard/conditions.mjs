/**
 * The conditions under which all tests must pass. Each condition says how to change the command that runs the tests, and what
 * the machine must offer for it.
 *
 * What must hold: a condition that this machine cannot produce says why. It never counts as passed.
 */
import { spawn } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { unpackPackages } from '../judges/debian.mjs';

/** An unprivileged user that each Linux has. */
const NOBODY = '65534';
const SMALL_TMP = '200m';

/**
 * @typedef {object} Condition
 * @property {string} title what is unusual, as a table row says it.
 * @property {string[]} [needs] programs on PATH.
 * @property {boolean} [root] whether it needs root.
 * @property {string} [node] major version of Node. Default: the one that runs this script.
 * @property {string} [folder] name of the folder that holds the clone.
 * @property {string[]} [testArgs] more arguments for `npm test`.
 * @property {string} [user] user id that owns the clone and runs the tests.
 * @property {(home: string) => void} [prepare] changes the test's home folder.
 * @property {string[]} [wrap] the command that runs the rest of the command line.
 * @property {() => Promise<import('node:child_process').ChildProcess>} [beside] starts a process that runs during the tests.
 */

/** @type {Record<string, Condition>} */
export const CONDITIONS = {
  plain: { title: 'nothing unusual' },
  stress: { title: '`stress-ng --cpu 4` beside it', beside: startStress },
  'one-core': { title: 'one core (`taskset -c 0`)', needs: ['taskset'], wrap: ['taskset', '-c', '0'] },
  nice: { title: '`nice -n 19`, one core busy', needs: ['nice'], wrap: ['nice', '-n', '19'], beside: startOneStress },
  shuffle: { title: 'files, and the tests of each file, in random order', testArgs: ['--sequence.shuffle'] },
  node20: { title: 'Node 20', node: '20' },
  node22: { title: 'Node 22', node: '22' },
  node24: { title: 'Node 24', node: '24' },
  user: { title: 'not root', root: true, needs: ['setpriv'], user: NOBODY },
  'read-only-home': {
    title: 'not root, and a home folder that cannot be written',
    root: true,
    needs: ['setpriv'],
    user: NOBODY,
    prepare: (home) => chmodSync(home, 0o555),
  },
  'no-ipv6': {
    title: 'no IPv6 and no network but loopback',
    root: true,
    needs: ['unshare', 'ip', 'sysctl'],
    wrap: inNamespace('--net', 'ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1'),
  },
  'small-tmp': {
    title: `/tmp of ${SMALL_TMP.toUpperCase()}B`,
    root: true,
    needs: ['unshare', 'mount'],
    wrap: inNamespace('--mount', `mount -t tmpfs -o size=${SMALL_TMP} tmpfs /tmp`),
  },
  space: { title: 'a path with a space', folder: 'a path with a space' },
};

/**
 * @param {string} name of a condition, or names joined by `+`: all of them at once.
 * @returns {Condition | null} null if there is no condition of a name.
 */
export function conditionNamed(name) {
  const parts = name.split('+').map((each) => CONDITIONS[each]);
  if (parts.includes(undefined)) return null;
  const prepares = parts.flatMap(({ prepare }) => prepare ?? []);
  const prepareAll = (home) => {
    for (const prepare of prepares) prepare(home);
  };
  const besides = parts.flatMap(({ beside }) => beside ?? []);
  return {
    ...Object.assign({}, ...parts),
    title: parts.map(({ title }) => title).join('; '),
    root: parts.some(({ root }) => root),
    needs: parts.flatMap(({ needs = [] }) => needs),
    testArgs: parts.flatMap(({ testArgs = [] }) => testArgs),
    wrap: parts.flatMap(({ wrap = [] }) => wrap),
    prepare: prepares.length === 0 ? undefined : prepareAll,
    besides,
  };
}

/** Runs the rest of the command line in a namespace of its own, after a shell command has prepared the namespace. */
function inNamespace(kind, preparation) {
  return ['unshare', kind, 'sh', '-c', `${preparation} && exec "$@"`, 'sh'];
}

/** @returns why this machine cannot produce the condition, or null. */
export function findObstacle({ root = false, needs = [] }) {
  if (root && process.getuid?.() !== 0) return 'needs root';
  const missing = needs.filter((program) => findOnPath(program) === null);
  return missing.length === 0 ? null : `needs ${missing.join(', ')}`;
}

/** Creates the home folder for the tests. */
export function makeHome(folder, { prepare }) {
  mkdirSync(folder, { recursive: true });
  prepare?.(folder);
}

function startStress() {
  return startLoad(4);
}

/** On all cores, a busy process would leave less than a twentieth of the machine to nicer ones. */
function startOneStress() {
  return startLoad(1);
}

async function startLoad(processes) {
  const { command, env } = await findStress();
  const child = spawn(command, ['--quiet', '--cpu', String(processes)], { env, stdio: 'ignore' });
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  return child;
}

async function findStress() {
  const command = findOnPath('stress-ng');
  if (command !== null) return { command, env: process.env };
  const place = await unpackPackages('stress-ng', ['stress-ng']);
  const folders = ['usr/lib', 'lib'].flatMap((each) => [`${each}/x86_64-linux-gnu`, `${each}/aarch64-linux-gnu`]);
  const libraries = folders.map((each) => join(place, each)).filter((each) => existsSync(each));
  const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(delimiter) };
  return { command: join(place, 'usr', 'bin', 'stress-ng'), env };
}

function findOnPath(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
