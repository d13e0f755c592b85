/** Checks the units of `deploy/systemd` with systemd's own tools. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { SETTINGS } from '../../src/app/settings.ts';
import { type DebianProgram, findProgram } from '../support/debian-program.ts';

const run = promisify(execFile);

const UNITS = join(import.meta.dirname, '..', '..', 'deploy', 'systemd');
const UNIT = 'bestframe@.service';
const DROP_IN = join('bestframe@dashboard.service.d', 'command.conf');
const INSTANCES = ['verify', 'erase', 'notify', 'api', 'dashboard'];
/** `systemd-analyze security` rates from 0 (little exposed) to 10. */
const MOST_EXPOSED = 2.5;

const SYSTEMD: DebianProgram = {
  names: ['systemd-analyze'],
  packages: ['systemd'],
  path: 'usr/bin/systemd-analyze',
  versionArgs: ['--version'],
};

let dir: string;
let analyze: (...args: string[]) => Promise<{ stdout: string; stderr: string }>;

beforeAll(async () => {
  const { path, env } = await findProgram(SYSTEMD);
  dir = await mkdtemp(join(tmpdir(), 'bestframe-units-'));
  await cp(UNITS, dir, { recursive: true });
  for (const file of [UNIT, DROP_IN]) {
    const text = await readFile(join(dir, file), 'utf8'); // systemd-analyze looks whether the program exists
    await writeFile(join(dir, file), text.replaceAll('/usr/bin/node', process.execPath));
  }
  // With the colon at the end, systemd also finds its own units, which ours name.
  const all = { PATH: process.env.PATH, SYSTEMD_UNIT_PATH: `${dir}:`, ...env };
  analyze = (...args) => run(path, args, { env: all });
}, 600_000); // the first run may have to download systemd
afterAll(async () => {
  if (dir !== undefined) await rm(dir, { recursive: true });
});

describe.each(INSTANCES)('bestframe@%s', (instance) => {
  const unit = `bestframe@${instance}.service`;

  it('has no fault that systemd finds', async () => {
    expect(await analyze('verify', '--man=no', unit)).toEqual({ stdout: '', stderr: '' });
  });

  it('is well shielded', async () => {
    const { stdout } = await analyze('security', '--offline=true', '--no-pager', unit);
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSED);
  });
});

it('systemd finds a fault in a broken unit, which proves that the check can fail', async () => {
  const text = await readFile(join(dir, UNIT), 'utf8');
  await writeFile(
    join(dir, 'broken.service'),
    text.replace('ProtectHome=yes', 'ProtectHomes=yes').replaceAll('%i', 'x'),
  );
  expect((await analyze('verify', '--man=no', 'broken.service')).stderr).toContain('ProtectHomes');
});

it('the units and examples name settings that exist, and a process starts with them', () => {
  const unit = readFileSync(join(UNITS, UNIT), 'utf8');
  const fixed = parseEnv([...unit.matchAll(/^Environment=(BESTFRAME_.*)$/gm)].map(([, line]) => line).join('\n'));
  const examples = ['bestframe.env.example', 'verify.env.example'].map((file) =>
    parseEnv(readFileSync(join(UNITS, file), 'utf8')),
  );
  const env = Object.assign({}, fixed, ...examples);
  expect(Object.keys(env).length).toBeGreaterThan(10);
  expect(Object.keys(env).filter((name) => !(name in SETTINGS))).toEqual([]);
  const { BESTFRAME_NAMESPACE_FILE: _credential, ...more } = env;
  const config = readConfig({ ...more, BESTFRAME_NAMESPACE: randomBytes(32).toString('hex') });
  expect(config).toMatchObject({ mode: 'live', regions: ['ap-singapore'], monitor: { port: 9_464 } });
});

it('a process may drain before it is killed, and its folders are those of the settings', () => {
  const unit = readFileSync(join(UNITS, UNIT), 'utf8');
  const [, seconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  expect(Number(seconds) * 1_000).toBeGreaterThan(SETTINGS.BESTFRAME_DRAIN_MS.parse(undefined));
  const [, state = ''] = /^StateDirectory=(.*)$/m.exec(unit) ?? [];
  for (const [, folder = ''] of unit.matchAll(/^Environment=\w+_DIR=\/var\/lib\/(.*)$/gm)) {
    expect(state.split(' ')).toContain(folder);
  }
});
