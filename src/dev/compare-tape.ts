/**
 * Compares the emulator with a tape, that is, with recorded calls to the real account: makes the same calls to a fresh emulator,
 * records them on a second tape, and compares the two tapes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../app/config.ts';
import { recordTape } from '../app/doctor/diagnose.ts';
import { compareTapes, type Tape, type TapeDifference } from '../app/doctor/tape.ts';
import { openDoctorTools } from '../app/doctor-tools.ts';
import { type Emulator, startEmulator } from '../emulator/index.ts';

export async function compareWithEmulator(tape: Tape): Promise<TapeDifference[]> {
  const dir = await mkdtemp(join(tmpdir(), 'bestframe-compare-'));
  try {
    const emulator = await startEmulator({ dir, settings: { latencyMs: {}, qps: {} } });
    try {
      return compareTapes(tape, await recordEmulator(emulator, tape.region));
    } finally {
      await emulator.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function recordEmulator({ credentials, proxyUrl, caFile }: Emulator, region: Tape['region']): Promise<Tape> {
  const config = readConfig({
    BESTFRAME_MODE: 'test',
    BESTFRAME_REGIONS: region,
    TENCENTCLOUD_SECRET_ID: credentials.secretId,
    TENCENTCLOUD_SECRET_KEY: credentials.secretKey,
    BESTFRAME_PROXY: proxyUrl,
    BESTFRAME_CA_FILE: caFile,
  });
  const tools = openDoctorTools(config);
  try {
    return await recordTape(config, tools);
  } finally {
    await tools.close();
  }
}
