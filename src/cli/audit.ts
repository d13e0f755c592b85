/** The audit log of the command line. As with the HTTP API and the dashboard, an action is logged before it happens. */
import { type Audit, openAudit } from '../adapters/audit.ts';
import type { Config } from '../app/config.ts';
import type { AuditEntry } from '../domain/operations/audit.ts';
import { operatorName } from './operator.ts';

/** Opens the audit log. It uses stderr in place of stdout, which carries only results. @throws Failure AUDIT_UNAVAILABLE */
export function openCommandAudit({ audit }: Config): Promise<Audit> {
  return openAudit(audit === 'stdout' ? 'stderr' : audit);
}

/** Replaces what is neither an id nor a gate: a caller's own key that was given without --key must not get into the log. */
function idOnly({ on }: CommandEntry): { on?: string } {
  if (on === undefined) return {};
  return { on: /^(?:v[0-9a-z]{25}|[a-z-]+ [A-Za-z]+)$/.test(on) ? on : 'no id' };
}

/** Entries of one command. `actor` is the user of this machine by default. */
type CommandEntry = Omit<AuditEntry, 'tenant' | 'actor'> & Partial<Pick<AuditEntry, 'actor' | 'tenant'>>;

/** @throws Failure AUDIT_UNAVAILABLE */
export async function writeAudit(config: Config, entries: readonly CommandEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const audit = await openCommandAudit(config);
  try {
    const common = { actor: operatorName(undefined), tenant: config.tenant ?? null };
    await Promise.all(entries.map((entry) => audit.write({ ...common, ...entry, ...idOnly(entry) })));
  } finally {
    await audit.close();
  }
}
