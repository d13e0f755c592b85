import { Command } from 'commander';
import { keepNamespace } from '../../app/namespace.ts';
import { newNamespace } from '../../domain/verification/namespace.ts';
import { printResult } from '../print.ts';

export function initCommand(): Command {
  return new Command('init')
    .option('--file <file>', 'write the secret to this file, for BESTFRAME_NAMESPACE_FILE; an existing file is kept')
    .option('--json', 'print JSON: {status, file} with --file, {status, namespace} without')
    .addHelpText(
      'after',
      `
Makes the namespace of a new deployment: the secret from which the ids of verifications are computed. Run this once for a
deployment. Give the same secret to all its processes and clients, keep a copy with your other secrets, and never change it: ids,
receipts and digests depend on it, also after Redis was lost.`,
    )
    .action(async (options: { file?: string; json?: boolean }) => {
      const { file } = options;
      if (file === undefined) {
        const namespace = newNamespace();
        const text = `BESTFRAME_NAMESPACE=${namespace}\n\n${NEXT_STEPS}`;
        printResult({ status: 'created', namespace }, text, options);
        return;
      }
      const { status } = await keepNamespace(file);
      const done = status === 'created' ? 'The secret is written to' : 'The secret exists, and is kept in';
      printResult({ status, file }, `${done} ${file}\n\nBESTFRAME_NAMESPACE_FILE=${file}\n\n${NEXT_STEPS}`, options);
    });
}

const NEXT_STEPS = `Next:
1. Set this for every worker, API, dashboard and client of the deployment. It was not stored anywhere else: keep a copy.
2. Set BESTFRAME_BUCKETS and the Tencent Cloud keys (docs/deployment.md), and run \`bestframe bucket init\`.
3. Run \`bestframe doctor\`. It says what is still missing.
4. Run \`bestframe start\`.
`;
