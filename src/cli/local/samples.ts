import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { CARDS } from '../../emulator/cards.ts';
import { sampleDeviceData, sampleImage, sampleLiveData, sampleVideo } from '../../emulator/samples.ts';
import type { Env } from '../env.ts';
import { printResult } from '../print.ts';

interface SampleFiles {
  readonly card: string;
  readonly liveData: string;
  readonly image: string;
  readonly video: string;
  readonly deviceData: string;
}

export function samplesCommand(_env: Env): Command {
  return new Command('samples')
    .argument('[dir]', 'folder for the files', join('.bestframe', 'samples'))
    .option('--json', 'print JSON: {dir, samples: [{card, liveData, image, video, deviceData}]}, with absolute paths')
    .addHelpText(
      'after',
      `
Each test card of docs/emulator.md gets a liveness package <card>.gz, a photo <card>.jpg, a video <card>.mp4 and device data
<card>.txt. Existing files are replaced. This needs no settings and no running emulator. Exit code: 0.`,
    )
    .action(async (dir: string, { json = false }: { json?: boolean }) => {
      const folder = resolve(dir);
      const samples = await writeSamples(folder);
      const text = `${folder}: ${samples.length} test cards, as <card>.gz, <card>.jpg, <card>.mp4 and <card>.txt\n`;
      printResult({ dir: folder, samples }, text, { json });
    });
}

async function writeSamples(dir: string): Promise<SampleFiles[]> {
  await mkdir(dir, { recursive: true });
  const samples: SampleFiles[] = [];
  for (const card of Object.keys(CARDS)) {
    const name = (ending: string) => join(dir, `${card}.${ending}`);
    const files = { card, liveData: name('gz'), image: name('jpg'), video: name('mp4'), deviceData: name('txt') };
    await writeFile(files.liveData, sampleLiveData({ card }));
    await writeFile(files.image, sampleImage());
    await writeFile(files.video, sampleVideo({ card }));
    await writeFile(files.deviceData, sampleDeviceData({ card }));
    samples.push(files);
  }
  return samples;
}
