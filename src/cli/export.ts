import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { operator } from './asking.ts';
import { writeAudit } from './audited.ts';
import type { Env } from './output.ts';

export function exportCommand(env: Env): Command {
  return new Command('export')
    .requiredOption('--subject <id>', 'the subject, as you gave it')
    .option('--frames <dir>', 'copies the frames that this machine sees into a folder')
    .option('--by <name>', 'who asks for it (default: the user of this machine)')
    .option('--why <text>', 'what for; goes into the audit log')
    .addHelpText(
      'after',
      `
All that is kept about one subject, one line of JSON a verification, oldest first: for whoever has a right to know. Frames in
the frames folder are copied with --frames; what lies in a bucket is named. Records older than BESTFRAME_KEEP_RECORDS_DAYS
are gone. Each is written to BESTFRAME_AUDIT (to stderr where that is stdout).`,
    )
    .action(async ({ subject, frames, by, why }: { subject: string; frames?: string; by?: string; why?: string }) => {
      const config = readConfig(env);
      const client = openClient(config);
      try {
        const views = await client.bySubject(subject);
        const entry = { actor: operator(by), ...(why === undefined ? {} : { purpose: why }) };
        await writeAudit(
          config,
          views.flatMap(({ id }) => [
            { act: 'export' as const, on: id, ...entry },
            ...(frames === undefined ? [] : [{ act: 'frame.read' as const, on: id, ...entry }]),
          ]),
        );
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
