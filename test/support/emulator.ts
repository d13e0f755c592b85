/**
 * Starts emulators for tests. All emulators of a process have the same certificate authority: to parse a store of roots takes
 * longer than most tests.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/index.ts';

const FILES = ['ca.pem', 'ca-key.pem'];
/** The content of the files; null until the first emulator has started. */
let authority: readonly Buffer[] | null = null;

export async function startTestEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { dir } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const kept = authority;
  if (kept !== null)
    await Promise.all(FILES.map((file, index) => writeFile(join(dir, file), kept[index] ?? '', { mode: 0o600 })));
  const emulator = await startEmulator(options);
  authority ??= await Promise.all(FILES.map((file) => readFile(join(dir, file))));
  return emulator;
}
