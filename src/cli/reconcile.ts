import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import type { BestframeClient } from '../client/client.ts';
import { readConfig } from '../config.ts';
import { openClient } from '../open-client.ts';
import { EXIT } from '../process.ts';
import { type Env, printJson } from './output.ts';

const CHUNK = 500;

export function reconcileCommand(env: Env): Command {
  return new Command('reconcile')
    .argument('[file]', 'keys that you have enqueued: one a line, or JSON Lines with a field "key"; - is stdin', '-')
    .option('--json', 'JSON on stdout: {known, gone, missing: [key, …]}')
    .addHelpText(
      'after',
      `
Which of your keys does Redis not know? After a Redis was lost or set back, enqueue those again: one whose frame is still
stored is not paid for a second time. Exit code 1 where any is missing.`,
    )
    .action(async (file: string, { json }: { json?: boolean }) => {
      const client = openClient(readConfig(env));
      try {
        const found = { known: 0, gone: 0, missing: [] as string[] };
        for await (const keys of chunks(file)) await look(client, keys, found);
        if (json) printJson(found);
        else {
          process.stdout.write(found.missing.map((key) => `${key}\n`).join(''));
          process.stderr.write(`${found.known} known, ${found.gone} erased, ${found.missing.length} missing\n`);
        }
        if (found.missing.length > 0) process.exitCode = EXIT.failed;
      } finally {
        await client.close();
      }
    });
}

async function look(
  client: BestframeClient,
  keys: readonly string[],
  found: { known: number; gone: number; missing: string[] },
): Promise<void> {
  const states = await client.known(keys);
  for (const [index, state] of states.entries()) {
    if (state === 'missing') found.missing.push(keys[index] ?? '');
    else found[state] += 1;
  }
}

async function* chunks(file: string): AsyncGenerator<string[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  let chunk: string[] = [];
  for await (const line of createInterface({ input })) {
    const key = keyIn(line.trim());
    if (key === '') continue;
    chunk.push(key);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** A line of a manifest, or a key as it is. */
function keyIn(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { key } = JSON.parse(line) as { key?: unknown };
    return typeof key === 'string' ? key : '';
  } catch {
    return line;
  }
}
