/**
 * Starts Chromium. As root, Chromium refuses to run with a sandbox, so it runs without one. That is safe: it opens only our own pages
 * on 127.0.0.1.
 */
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { type DebianProgram, findProgram } from './debian-program.ts';
import { HOME } from './rig.ts';

const CHROMIUM: DebianProgram = {
  names: ['chromium', 'chromium-browser', 'google-chrome'],
  packages: ['chromium', 'fonts-wqy-microhei'], // the font has Chinese characters
  path: 'usr/lib/chromium/chromium',
  versionArgs: ['--version', '--no-sandbox'],
  env: { HOME: join(HOME, 'browser') },
};
/** Keeps Chromium from connecting to the internet in the background. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** @throws Error that says how to install Chromium if none is found and none can be fetched */
export async function openBrowser(): Promise<Browser> {
  const { path, env } = await findProgram(CHROMIUM);
  return chromium.launch({ executablePath: path, args: ARGS, env: { PATH: process.env.PATH ?? '', ...env } });
}
