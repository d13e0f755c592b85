/** Generates docs/errors.md from the error table. */
import { RETRIES } from '../../../src/domain/errors/entry.ts';
import { AUDIENCES, ERROR_CLASSES, ERROR_TABLE, type ErrorEntry } from '../../../src/domain/errors/index.ts';
import { advise, type Situation } from '../../../src/domain/verification/advice.ts';

const SECTIONS: readonly (readonly [title: string, contains: (entry: ErrorEntry) => boolean])[] = [
  ['Tencent FaceID', ({ service, channel }) => service === 'faceid' && channel === 'both'],
  ['Any Tencent Cloud API', ({ service, channel }) => service === 'faceid' && channel === 'error'],
  ['COS', ({ service }) => service === 'cos'],
  ['Bestframe itself', ({ service }) => service === 'bestframe'],
];

/** The rows of the table of states. Each row shows the advice for a code that has no advice of its own for the caller. */
const STATES: readonly (readonly [title: string, situation: Situation])[] = [
  ['The request was refused', { state: null, code: 'LEASE_LOST' }],
  ['It waits', { state: 'delayed', code: 'TIMEOUT' }],
  ['It waits, class `account` (here `AuthFailure`)', { state: 'delayed', code: 'AuthFailure' }],
  ['`held`', { state: 'held', code: 'LINKS_EXPIRED' }],
  ['`failed`', { state: 'failed', code: 'TIMEOUT' }],
  ['`failed`, class `account`, `machine` or `unknown` (here `AuthFailure`)', { state: 'failed', code: 'AuthFailure' }],
  ['`cancelled`', { state: 'cancelled', code: 'CANCELLED' }],
];

export function errorsPage(): string {
  const classes = ERROR_CLASSES.map((name) => `| \`${name}\` | ${RETRIES[name]} |`);
  const states = STATES.map(([title, situation]) => {
    const { caller, operator } = advise(situation);
    return `| ${title} | ${caller} | ${operator} |`;
  });
  const sections = SECTIONS.map(
    ([title, contains]) => `## ${title}\n\n${ERROR_TABLE.filter(contains).map(formatEntry).join('\n')}`,
  );
  return `# Errors

What each code means, whether Bestframe retries, and *what to do* about the cause. \`bestframe errors CODE\` prints the same in a
terminal. Patterns between slashes are matched against the vendor's message, before any code. \`X.*\` matches every code that
starts with \`X.\`.

| class | retry |
|---|---|
${classes.join('\n')}

What to do also depends on what becomes of the verification. Its \`reason\` says both together. These are the words where a code adds
nothing of its own:

| verification | caller | operator |
|---|---|---|
${states.join('\n')}

${sections.join('\n\n')}
`;
}

function formatEntry(entry: ErrorEntry): string {
  const decision = entry.decision === null ? '' : ` (decision \`${entry.decision}\`)`;
  const retake = entry.retake === 'none' ? '' : `, take again: ${entry.retake}`;
  const title = escapeMarkdown(entry.title.replace(/\.$/, ''));
  const advice = AUDIENCES.flatMap((reader) =>
    entry.advice[reader] === '' ? [] : [`*${NAMES[reader]}: ${escapeMarkdown(entry.advice[reader])}*`],
  );
  return `- **\`${entry.match}\`** ${title} — \`${entry.class}\`${decision}, billed: ${entry.billed}${retake}.
  ${[escapeMarkdown(entry.explanation), ...advice].join(' ')}`;
}

const NAMES = { person: 'Person', caller: 'Caller', operator: 'Operator' } as const;

/** Escapes HTML and emphasis, because Markdown would otherwise drop `<bucket>` from the page. */
function escapeMarkdown(text: string): string {
  return text.replace(/[<*]/g, '\\$&');
}
