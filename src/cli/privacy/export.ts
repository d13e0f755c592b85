import { mkdir, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { openStorage } from '../../app/adapters.ts';
import type { FrameSink } from '../../domain/ports.ts';
import { keptFiles } from '../../domain/verification/media.ts';
import type { StoredFrame } from '../../domain/verification/outcomes.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printJson } from '../print.ts';
import { withClient } from '../with-client.ts';

interface Options {
  subject: string;
  frames?: string;
  by?: string;
  why?: string;
}

export function exportCommand(env: Env): Command {
  return new Command('export')
    .requiredOption('--subject <id>', 'the subject, as given when enqueueing')
    .option('--frames <dir>', 'copy the frames that this machine can read into a folder')
    .option(...BY_OPTION)
    .option('--why <text>', 'purpose, recorded in the audit log')
    .addHelpText(
      'after',
      `
Prints everything that is stored about one subject, e.g. for a request under data protection law: one line of JSON per
verification, oldest first. --frames copies frames and other media from the frames folder whose MD5 is the recorded one; the output names those in a bucket. Records older
than BESTFRAME_KEEP_RECORDS_DAYS are gone. Each access is written to BESTFRAME_AUDIT (stderr replaces stdout).`,
    )
    .action(({ subject, frames, by, why }: Options) =>
      withClient(env, async (client, config) => {
        const entry = { actor: operatorName(by), ...(why === undefined ? {} : { purpose: why }) };
        await writeAudit(config, [{ act: 'verifications.list', what: 'one subject', ...entry }]);
        const views = await client.bySubject(subject);
        await writeAudit(
          config,
          views.flatMap(({ id }) => [
            { act: 'export' as const, on: id, ...entry },
            ...(frames === undefined ? [] : [{ act: 'frame.read' as const, on: id, ...entry }]),
          ]),
        );
        const { sink, close } = openStorage(config);
        if (frames !== undefined) await mkdir(frames, { recursive: true, mode: 0o700 });
        for (const view of views) {
          printJson(view);
          if (frames === undefined) continue;
          const kept = keptFiles({ stored: view.bestFrame, media: view.session?.media ?? [] });
          for (const stored of kept.filter(({ path }) => !path.startsWith('cos:'))) {
            if (await copyFile(sink, stored, frames)) continue;
            const name = basename(stored.path);
            process.stderr.write(`${view.id}: ${name} is missing, or is not what was stored; it is not copied\n`);
          }
        }
        await close();
        process.stderr.write(`${views.length} verifications\n`);
      }),
    );
}

const READ_MS = 30_000;

/** @returns false if the file is missing, or has other bytes than the ones that were stored. */
async function copyFile(sink: FrameSink, stored: StoredFrame, dir: string): Promise<boolean> {
  const frame = await sink.open(stored, AbortSignal.timeout(READ_MS));
  if (frame === null) return false;
  const file = await open(join(dir, basename(stored.path)), 'w', 0o600);
  try {
    for await (const piece of frame.bytes(0, stored.bytes - 1)) await file.write(piece);
  } finally {
    await Promise.all([file.close(), frame.close()]);
  }
  return true;
}
