/** `npm run chaos`: executes many runs, then prints a table. The exit code is 1 if an invariant was broken. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FAULTS } from './faults/index.ts';
import { proveAll, runAll } from './runner.ts';

const USAGE = `npm run chaos -- [options]

  --seed N       seed of the first run; each further run adds 1. Default: random
  --minutes M    keeps starting runs for M minutes. Default: until --short and --long are done
  --short N      number of runs of all short faults together. Default 200
  --long N       number of runs of each long fault. Default 3
  --only FAULT   run only this fault; separate several with commas
  --json FILE    write the report to a file
  --can-fail     remove each protection in turn: the oracle must detect it
  --side N       number of concurrent runs of short faults. Default 2

Faults:
${FAULTS.map(({ name, summary, long }) => `  ${name.padEnd(14)} ${summary}${long === true ? ' (long)' : ''}`).join('\n')}
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string' },
    short: { type: 'string', default: '200' },
    long: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'string' },
    side: { type: 'string', default: '2' },
    'can-fail': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(USAGE);
} else {
  const only = values.only?.split(',');
  const faults = only === undefined ? FAULTS : FAULTS.filter(({ name }) => only.includes(name));
  const unknown = only?.filter((name) => !FAULTS.some((fault) => fault.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`unknown fault ${unknown.join(', ')}: see --help for the names`);
  const root = process.cwd();
  const run = values['can-fail'] ? proveAll : runAll;
  process.exitCode = await run({
    faults,
    seed: whole('seed', values.seed) ?? Math.floor(Math.random() * 1e9),
    minutes: whole('minutes', values.minutes),
    short: whole('short', values.short) ?? 0,
    long: whole('long', values.long) ?? 0,
    side: whole('side', values.side) ?? 1,
    json: values.json,
    home: join(root, '.bestframe'),
    workersDir: join(root, 'dist', 'workers/'),
    print: (line) => process.stdout.write(`${line}\n`),
  });
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${name} is not a whole number: ${text}`);
  return value;
}
