#!/usr/bin/env node
/**
 * The command line. One file a command, loaded when it is asked for: `bestframe get` must not wait for the vendor's SDKs.
 * This one only names them, and turns failures into words and exit codes.
 */
import { Command } from 'commander';
import { Failure } from '../domain/failure.ts';
import { EXIT } from '../process.ts';
import { type Env, failureInWords } from './output.ts';
import { version } from './version.ts';

interface Entry {
  readonly summary: string;
  load(): Promise<(env: Env) => Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  demo: {
    summary: 'a whole world on this machine, and verifications through it; exit code 0 if each ended as it should',
    load: async () => (await import('./demo.ts')).demoCommand,
  },
  dev: {
    summary: 'a whole world to integrate against: Redis, emulator, workers, HTTP API, dashboard; stays up until Ctrl-C',
    load: async () => (await import('./dev.ts')).devCommand,
  },
  start: {
    summary: 'runs workers until SIGTERM: verify, erase, notify, or all in one process; or the HTTP API (start api)',
    load: async () => (await import('./start.ts')).startCommand,
  },
  dashboard: {
    summary: 'serves the operators’ site, with the Bull dashboard in it, until SIGTERM',
    load: async () => (await import('./dashboard.ts')).dashboardCommand,
  },
  emulator: {
    summary: 'Tencent FaceID and COS on this machine, until SIGTERM (docs/emulator.md)',
    load: async () => (await import('./emulator.ts')).emulatorCommand,
  },
  enqueue: {
    summary: 'enqueues one verification, or a manifest of many',
    load: async () => (await import('./enqueue.ts')).enqueueCommand,
  },
  sequence: {
    summary: 'device data from a phone to the light sequence that its liveness check begins with',
    load: async () => (await import('./sequence.ts')).sequenceCommand,
  },
  get: { summary: 'shows one verification', load: async () => (await import('./get.ts')).getCommand },
  wait: {
    summary: 'waits until a verification is decided, then shows it',
    load: async () => (await import('./wait.ts')).waitCommand,
  },
  list: { summary: 'shows verifications, newest first', load: async () => (await import('./list.ts')).listCommand },
  cancel: {
    summary: 'ends a verification; before the paid call nothing is paid',
    load: async () => (await import('./cancel.ts')).cancelCommand,
  },
  held: {
    summary: 'verifications that wait for a person, and what to do with them',
    load: async () => (await import('./held.ts')).heldCommand,
  },
  gate: {
    summary: 'what holds calls back, and how an operator steers it',
    load: async () => (await import('./gate.ts')).gateCommand,
  },
  acknowledge: {
    summary: 'says that you have a frame, so that it is deleted now',
    load: async () => (await import('./acknowledge.ts')).acknowledgeCommand,
  },
  erase: {
    summary: 'erases verifications by id, subject or age: record, objects, frame; with a receipt',
    load: async () => (await import('./erase.ts')).eraseCommand,
  },
  'legal-hold': {
    summary: 'keeps a verification from being erased, or lifts that',
    load: async () => (await import('./legal-hold.ts')).legalHoldCommand,
  },
  export: {
    summary: 'all that is kept about one subject, as JSON Lines',
    load: async () => (await import('./export.ts')).exportCommand,
  },
  reconcile: {
    summary: 'which of your keys Redis does not know, after it was lost or set back',
    load: async () => (await import('./reconcile.ts')).reconcileCommand,
  },
  keys: {
    summary: 'keys to the HTTP API: create, list, revoke, rotate',
    load: async () => (await import('./keys.ts')).keysCommand,
  },
  webhooks: {
    summary: 'endpoints that are told of verifications, and what could not be delivered to them',
    load: async () => (await import('./webhooks.ts')).webhooksCommand,
  },
  metrics: {
    summary: 'what can be counted, as Prometheus reads it',
    load: async () => (await import('./metrics.ts')).metricsCommand,
  },
  support: {
    summary: "what Tencent's support asks for about one verification: RequestIds, times, parameters",
    load: async () => (await import('./support.ts')).supportCommand,
  },
  doctor: {
    summary: 'looks at everything that a verification needs; exit code 1 if something fails',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  bucket: {
    summary: 'makes the own buckets as they must be (bucket init)',
    load: async () => (await import('./bucket.ts')).bucketCommand,
  },
  errors: {
    summary: 'what a code means and what to do; without a code, all of them',
    load: async () => (await import('./errors.ts')).errorsCommand,
  },
};

const program = new Command('bestframe')
  .description(
    'The durable job queue for Tencent Cloud face-liveness verification.\nupload → MD5 → detect → download BestFrame',
  )
  .version(version)
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText(
    'after',
    `
Start here:
  bestframe demo                 a whole world on this machine, and 24 verifications through it
  bestframe dev                  the same world, to integrate against
  bestframe errors DownLoadError what a code means and what to do

Settings come from the environment (docs/settings.md). Exit codes: 0 done, 1 not as wished, 2 bad input.`,
  );

const asked = process.argv[2] === 'help' ? process.argv[3] : process.argv[2];
for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
  const command = name === asked ? (await load())(process.env) : new Command(name);
  program.addCommand(command.description(summary));
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(failureInWords(error, process.argv.includes('--json')));
  process.exitCode = EXIT.badInput;
}
