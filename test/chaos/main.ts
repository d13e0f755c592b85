/** `npm run chaos`: many runs, a table, a report; exit code 1 where an invariant was broken. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FAULTS } from './faults/index.ts';
import { proveAll, runAll } from './runner.ts';

const USAGE = `npm run chaos -- [options]

  --seed N       the first run's seed; the next ones count up from it. Default: a random one
  --minutes M    begins new runs for so long. Default: until --short and --long are done
  --short N      runs of short faults, all in turn. Default 200
  --long N       runs of each long fault. Default 3
  --only FAULT   this fault alone; more than one with commas
  --json FILE    writes the report to a file
  --can-fail     takes the product's protections away, one by one: the oracle must notice each
  --side N       runs of short faults side by side. Default 2

Faults:
${FAULTS.map(({ name, what, long }) => `  ${name.padEnd(14)} ${what}${long === true ? ' (long)' : ''}`).join('\n')}
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
  if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}: see --help`);
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
