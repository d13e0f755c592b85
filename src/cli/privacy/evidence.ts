import { Command } from 'commander';
import { openStorage } from '../../app/adapters.ts';
import { readConfig } from '../../app/config.ts';
import { EXIT } from '../../app/exit-codes.ts';
import { type FoundEvidence, readEvidence } from '../../app/read-evidence.ts';
import { writeAudit } from '../audit.ts';
import type { Env } from '../env.ts';
import { BY_OPTION, operatorName } from '../operator.ts';
import { printResult } from '../print.ts';

interface Options {
  by?: string;
  why?: string;
  json?: boolean;
}

const READ_MS = 30_000;

export function evidenceCommand(env: Env): Command {
  return new Command('evidence')
    .argument('<id>', 'id of the verification')
    .option(...BY_OPTION)
    .option('--why <text>', 'purpose, recorded in the audit log')
    .option('--json', 'print JSON: {region, answer, objects: [{name, lockedUntil}]}')
    .addHelpText(
      'after',
      `
Opens Tencent's answer in the evidence of a verification with the key ring, and lists the copies with the ends of their locks. Reads
only BESTFRAME_EVIDENCE_BUCKETS, so it works when the record is gone. Pictures are not shown: read them in the bucket. Each access
is written to BESTFRAME_AUDIT (stderr replaces stdout). Exit codes: 0 there is evidence, 1 there is none.`,
    )
    .action(async (id: string, { by, why, json = false }: Options) => {
      const config = readConfig(env);
      const purpose = why === undefined ? {} : { purpose: why };
      await writeAudit(config, [{ act: 'evidence.read', actor: operatorName(by), on: id, ...purpose }]);
      const { evidence, close } = openStorage(config);
      try {
        const found = await readEvidence(config, evidence, id, AbortSignal.timeout(READ_MS));
        printResult(found, found === null ? `${id}  there is no evidence\n` : format(found), { json });
        if (found === null) process.exitCode = EXIT.failed;
      } finally {
        await close();
      }
    });
}

function format({ region, answer, objects }: FoundEvidence): string {
  const copies = objects.map(
    ({ name, lockedUntil }) => `${name}: ${lockedUntil === null ? 'not locked' : `locked until ${lockedUntil}`}`,
  );
  return [`in ${region}`, ...copies, answer === null ? 'the answer is not copied' : JSON.stringify(answer, null, 2)]
    .map((line) => `${line}\n`)
    .join('');
}
