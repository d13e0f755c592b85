import pc from 'picocolors';
import { colorDecision } from '../app/terminal-format.ts';
import { adviseOn } from '../domain/verification/advice.ts';
import type { VerificationView } from '../domain/verification/view.ts';

export const NOT_FOUND = 'no such verification, or its record has expired\n';

/** One verification as text. */
export function formatVerification(view: VerificationView | null): string {
  if (view === null) return NOT_FOUND;
  const { reason } = view;
  const lines: [label: string, text: string][] = [
    ['id', view.id],
    ['key', view.key],
    ['state', view.state],
    ['next', pc.bold(view.next)],
    ['decision', formatDecision(view)],
    ['frame', formatFrame(view)],
    ...formatMedia(view),
    ...formatEvidence(view),
    ['upload', `${view.upload}, ${view.region}, ${view.action}, ${view.lane}, ${view.mode}`],
    ['paid calls', `${view.paidCalls}${view.possiblyPaidCalls > 0 ? ` (and ${view.possiblyPaidCalls} possibly)` : ''}`],
    ...formatCost(view.cost),
    ...formatOpinion(view),
    ['RequestIds', view.requestIds.join(', ') || '–'],
    ['created', `${view.createdAt}, deadline ${view.deadline}`],
    ['decided', view.decidedAt ?? '–'],
    ['ended', view.endedAt ?? '–'],
  ];
  if (view.retake !== 'none') lines.push(['retake', view.retake]);
  if (view.pausedBy !== null) lines.push(['paused by', view.pausedBy]);
  if (view.retryAfter !== null) lines.push(['next try', view.retryAfter]);
  if (reason !== null) {
    lines.push(['reason', `${reason.code} (${reason.class}): ${reason.title}`]);
    if (reason.waitedFor !== undefined)
      lines.push(['waited for', `${reason.waitedFor.code} ${reason.waitedFor.dependency ?? ''}`]);
    lines.push(
      ['operator', adviseOn({ ...view, opinion: view.secondOpinion?.status ?? null }, reason).operator],
      ['caller', reason.advice],
    );
    if (reason.personAdvice !== undefined) lines.push(['person', reason.personAdvice]);
  }
  const stages = view.stages.map(({ name, attempts, ms }) => `  ${name.padEnd(9)} ${attempts} × ${Math.round(ms)} ms`);
  return `${lines.map(([label, text]) => `${pc.dim(label.padEnd(11))} ${text}`).join('\n')}\n${stages.join('\n')}\n`;
}

function formatDecision({ decision, state, similarity, similarityThreshold }: VerificationView): string {
  const measured = similarity === null ? '' : ` (similarity ${similarity}, threshold ${similarityThreshold})`;
  return `${colorDecision(decision, state)}${measured}`;
}

function formatOpinion({ secondOpinion }: VerificationView): [label: string, text: string][] {
  if (secondOpinion === null) return [];
  const { status, level, attacks, code, paidCalls, possiblyPaidCalls, cost } = secondOpinion;
  const said = [level, ...attacks, code].filter((each) => each !== null).join(', ');
  const calls = `${paidCalls} paid${possiblyPaidCalls > 0 ? ` (and ${possiblyPaidCalls} possibly)` : ''}`;
  const costs = formatCost(cost).map(([, text]) => `, ${text}`);
  return [['opinion', `${status}${said === '' ? '' : ` (${said})`}, ${calls}${costs.join('')}`]];
}

function formatCost(cost: VerificationView['cost']): [label: string, text: string][] {
  if (cost === null) return [];
  const { currency, paid, possiblyPaid } = cost;
  const more = possiblyPaid > 0 ? ` (and ${possiblyPaid} ${currency} possibly)` : '';
  return [['cost', `${paid} ${currency}${more}`]];
}

function formatMedia({ session }: VerificationView): [label: string, text: string][] {
  return (session?.media ?? []).map(({ name, path, bytes, md5 }) => [name, `${path} (${bytes} bytes, MD5 ${md5})`]);
}

function formatEvidence({ evidence }: VerificationView): [label: string, text: string][] {
  if (evidence === null) return [];
  const { state, objects, missing, lockedUntil } = evidence;
  const without =
    missing.length === 0 ? '' : `, without ${missing.map(({ name, code }) => `${name} (${code})`).join(', ')}`;
  return [['evidence', `${state}: ${objects.join(', ') || '–'}${without}; locked until ${lockedUntil}`]];
}

function formatFrame({ bestFrame, frame }: VerificationView): string {
  if (bestFrame === null) return frame;
  return `${frame}: ${bestFrame.path} (${bestFrame.bytes} bytes, MD5 ${bestFrame.md5})`;
}
