/** What is done at the command line is written down before it is done, as it is over HTTP and on the operators' site. */
import { type Audit, type AuditEntry, openAudit } from '../audit.ts';
import type { Config } from '../config.ts';

/** To stderr where it would be stdout: what is asked for is alone there. @throws Failure AUDIT_UNAVAILABLE */
export function openCommandAudit({ audit }: Config): Promise<Audit> {
  return openAudit(audit === 'stdout' ? 'stderr' : audit);
}

/** @throws Failure AUDIT_UNAVAILABLE */
export async function writeAudit(config: Config, entries: readonly Omit<AuditEntry, 'tenant'>[]): Promise<void> {
  const { tenant } = config;
  const log = await openCommandAudit(config);
  try {
    for (const entry of entries) await log.write({ ...entry, tenant: tenant ?? null });
  } finally {
    await log.close();
  }
}
