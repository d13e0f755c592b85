/**
 * The commands in the groups of `--help`. Each is loaded only when it is used, so that `bestframe get` does not wait for the
 * vendors' SDKs.
 */
import type { Command } from 'commander';
import type { Env } from './env.ts';
import { takeTenant } from './tenant-option.ts';

export interface CommandEntry {
  readonly summary: string;
  load(): Promise<(env: Env) => Command>;
}

type CommandGroup = Readonly<Record<string, CommandEntry>>;

const LOCAL: CommandGroup = {
  demo: {
    summary: 'run a whole deployment on this machine, and verifications through it',
    load: async () => (await import('./local/demo.ts')).demoCommand,
  },
  dev: {
    summary: 'run a whole deployment on this machine to integrate against, until Ctrl-C',
    load: async () => (await import('./local/dev.ts')).devCommand,
  },
  emulator: {
    summary: 'run the emulator of Tencent FaceID, COS and STS, until Ctrl-C (docs/emulator.md)',
    load: async () => (await import('./local/emulator.ts')).emulatorCommand,
  },
  samples: {
    summary: 'write a package, a photo, a video and device data for each test card of the emulator',
    load: async () => (await import('./local/samples.ts')).samplesCommand,
  },
};

const SERVICES: CommandGroup = {
  init: {
    summary: 'make the secret of a new deployment, and print the next steps',
    load: async () => (await import('./services/init.ts')).initCommand,
  },
  start: {
    summary: 'run workers (verify, erase, notify or all) or the HTTP API (api), until SIGTERM',
    load: async () => (await import('./services/start.ts')).startCommand,
  },
  dashboard: {
    summary: 'run the operators’ site, which includes the Bull dashboard, until SIGTERM',
    load: async () => (await import('./services/dashboard.ts')).dashboardCommand,
  },
};

const VERIFICATIONS: CommandGroup = {
  enqueue: {
    summary: 'enqueue one verification, or many from a manifest',
    load: async () => (await import('./verifications/enqueue.ts')).enqueueCommand,
  },
  sequence: {
    summary: 'turn device data from a phone into the light sequence for its liveness check',
    load: async () => (await import('./verifications/sequence.ts')).sequenceCommand,
  },
  session: {
    summary: 'start a session for Tencent’s SDK or page, and report its end',
    load: async () => (await import('./verifications/session.ts')).sessionCommand,
  },
  get: {
    summary: 'show one verification',
    load: async () => (await import('./verifications/get.ts')).getCommand,
  },
  wait: {
    summary: 'wait for the decision of a verification, then show it',
    load: async () => (await import('./verifications/wait.ts')).waitCommand,
  },
  list: {
    summary: 'list verifications, newest first',
    load: async () => (await import('./verifications/list.ts')).listCommand,
  },
  cancel: {
    summary: 'cancel a verification; before the paid call this costs nothing',
    load: async () => (await import('./verifications/cancel.ts')).cancelCommand,
  },
  acknowledge: {
    summary: 'confirm that you have the frame, so that it is deleted now',
    load: async () => (await import('./verifications/acknowledge.ts')).acknowledgeCommand,
  },
};

const OPERATIONS: CommandGroup = {
  status: {
    summary: 'show whether verifications are decided, and what needs a person; exit code 1 if something does',
    load: async () => (await import('./operations/status.ts')).statusCommand,
  },
  held: {
    summary: 'list verifications that are held for review, and decide about them',
    load: async () => (await import('./operations/held.ts')).heldCommand,
  },
  retry: {
    summary: 'start failed verifications again, and fetch lost frames',
    load: async () => (await import('./operations/retry.ts')).retryCommand,
  },
  gate: {
    summary: 'show and control the gates, which limit calls to Tencent',
    load: async () => (await import('./operations/gate.ts')).gateCommand,
  },
  webhooks: {
    summary: 'manage webhook endpoints and dead notifications',
    load: async () => (await import('./operations/webhooks.ts')).webhooksCommand,
  },
  tenants: {
    summary: 'show and set the policies of tenants: which places each may use',
    load: async () => (await import('./operations/tenants.ts')).tenantsCommand,
  },
  keys: {
    summary: 'create, list, rotate and revoke keys for the HTTP API',
    load: async () => (await import('./operations/keys.ts')).keysCommand,
  },
  sessions: {
    summary: 'list the sessions of the operators’ site, and end them',
    load: async () => (await import('./operations/sessions.ts')).sessionsCommand,
  },
  costs: {
    summary: 'show what the paid calls cost, by day, tenant, region or action',
    load: async () => (await import('./operations/costs.ts')).costsCommand,
  },
  metrics: {
    summary: 'print the metrics of the deployment in Prometheus format',
    load: async () => (await import('./operations/metrics.ts')).metricsCommand,
  },
  reconcile: {
    summary: 'find keys that Redis does not know after it lost data',
    load: async () => (await import('./operations/reconcile.ts')).reconcileCommand,
  },
};

const PRIVACY: CommandGroup = {
  erase: {
    summary: 'erase verifications by id, subject or age, with a receipt',
    load: async () => (await import('./privacy/erase.ts')).eraseCommand,
  },
  'legal-hold': {
    summary: 'protect a verification from erasure, or lift the protection',
    load: async () => (await import('./privacy/legal-hold.ts')).legalHoldCommand,
  },
  export: {
    summary: 'export everything that is stored about one subject, as JSON Lines',
    load: async () => (await import('./privacy/export.ts')).exportCommand,
  },
  evidence: {
    summary: 'open the answer in the evidence of a verification, and list the copies with their locks',
    load: async () => (await import('./privacy/evidence.ts')).evidenceCommand,
  },
  audit: {
    summary: 'check that no line of the audit log was removed or changed',
    load: async () => (await import('./privacy/audit.ts')).auditCommand,
  },
};

const DIAGNOSTICS: CommandGroup = {
  doctor: {
    summary: 'check everything that a verification needs; exit code 1 if a check fails',
    load: async () => (await import('./diagnostics/doctor.ts')).doctorCommand,
  },
  bucket: {
    summary: 'set up your own buckets (bucket init)',
    load: async () => (await import('./diagnostics/bucket.ts')).bucketCommand,
  },
  support: {
    summary: "print what Tencent's support needs to know about one verification",
    load: async () => (await import('./diagnostics/support.ts')).supportCommand,
  },
  errors: {
    summary: 'explain an error code and what to do, or list all codes',
    load: async () => (await import('./diagnostics/errors.ts')).errorsCommand,
  },
  completion: {
    summary: 'print a script with which your shell completes commands, options and values',
    load: async () => {
      const { completionCommand } = await import('./diagnostics/completion.ts');
      return () => completionCommand(loadCommands);
    },
  },
};

/** Commands that work with the verifications or endpoints of one tenant, and so take `--tenant`. */
export const TENANT_COMMANDS: ReadonlySet<string> = new Set([
  ...Object.keys(VERIFICATIONS).filter((name) => name !== 'sequence'),
  ...['held', 'webhooks', 'costs', 'erase', 'legal-hold', 'export', 'evidence', 'support'],
]);

export const COMMAND_GROUPS: Readonly<Record<string, CommandGroup>> = {
  'On this machine:': LOCAL,
  'Services:': SERVICES,
  'Verifications:': VERIFICATIONS,
  'Operations:': OPERATIONS,
  'Privacy:': PRIVACY,
  'Diagnostics:': DIAGNOSTICS,
};

/** Loads every command, with its options. @returns them in the order of `--help` */
export async function loadCommands(): Promise<Command[]> {
  const commands: Command[] = [];
  for (const group of Object.values(COMMAND_GROUPS)) {
    for (const [name, { summary, load }] of Object.entries(group)) {
      const command = (await load())({}).description(summary);
      if (TENANT_COMMANDS.has(name)) takeTenant(command, {});
      commands.push(command);
    }
  }
  return commands;
}
