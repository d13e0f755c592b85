import pc from 'picocolors';
import type { Failure } from '../domain/errors/failure.ts';
import { explain } from '../domain/errors/index.ts';
import { advise } from '../domain/verification/advice.ts';

/** Code, message and advice, as JSON or as text. */
export function formatFailure(failure: Failure, { json }: { readonly json: boolean }): string {
  const { code, message, field } = failure;
  const advice = explain(code) === null ? null : advise({ code, state: null }).operator;
  if (json) return `${JSON.stringify({ error: { code, field: field ?? null, message, advice } })}\n`;
  return `${pc.red(code)}: ${message}${advice === null ? '' : `\n  ${advice}`}\n`;
}
