import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import type { Env } from './output.ts';

export function exportCommand(env: Env): Command {
  return new Command('export')
    .requiredOption('--subject <id>', 'the subject, as you gave it')
    .option('--frames <dir>', 'copies the frames that this machine sees into a folder')
    .addHelpText(
      'after',
      `
All that is kept about one subject, one line of JSON a verification, oldest first: for whoever has a right to know. Frames in
the frames folder are copied with --frames; what lies in a bucket is named. Records older than BESTFRAME_KEEP_RECORDS_DAYS
are gone.`,
    )
    .action(async ({ subject, frames }: { subject: string; frames?: string }) => {
      const client = openClient(readConfig(env));
      try {
        const views = await client.bySubject(subject);
        if (frames !== undefined) await mkdir(frames, { recursive: true, mode: 0o700 });
        for (const view of views) {
          process.stdout.write(`${JSON.stringify(view)}\n`);
          const path = view.bestFrame?.path;
          if (frames !== undefined && path !== undefined && !path.startsWith('cos:'))
            await copyFile(path, join(frames, basename(path)));
        }
        process.stderr.write(`${views.length} verifications\n`);
      } finally {
        await client.close();
      }
    });
}
