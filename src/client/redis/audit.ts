/** The audit log of a program that uses the client. Without the option `audit`, nothing is written. */
import { type Audit, openAudit } from '../../adapters/audit.ts';
import type { AuditEntry } from '../../domain/operations/audit.ts';
import { isStarted, type RetryResult } from '../../domain/operations/retries.ts';
import type { RetryPageRequest } from '../retry-pages.ts';

export type ClientAct = Omit<AuditEntry, 'actor' | 'tenant'> & { readonly by?: string };

/** The lines of a page of retries, from its dry run. */
export function retryActs({ by, why }: RetryPageRequest, plan: readonly RetryResult[]): ClientAct[] {
  return plan.filter(isStarted).map(({ id, status }) => ({ act: 'retry', by, purpose: why, on: id, what: status }));
}

export class ClientAudit {
  readonly #target: string | undefined;
  readonly #actor: string | null;
  #opened: Promise<Audit> | undefined;

  constructor(target: string | undefined, actor: string | undefined) {
    this.#target = target;
    this.#actor = actor ?? null;
  }

  /** Writes lines before the acts that they describe. @throws Failure AUDIT_UNAVAILABLE */
  async write(tenant: string | null, acts: readonly ClientAct[]): Promise<void> {
    if (this.#target === undefined || acts.length === 0) return;
    this.#opened ??= openAudit(this.#target);
    const audit = await this.#opened.catch((error: unknown) => {
      this.#opened = undefined; // the next act tries again
      throw error;
    });
    await Promise.all(acts.map(({ by, ...act }) => audit.write({ actor: by ?? this.#actor, tenant, ...act })));
  }

  async close(): Promise<void> {
    await this.#opened?.then((audit) => audit.close());
  }
}
