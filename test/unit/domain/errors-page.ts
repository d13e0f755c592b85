/** docs/errors.md, made from the table of errors. */
import { RETRIES } from '../../../src/domain/errors/entry.ts';
import { ERROR_CLASSES, ERROR_TABLE, type ErrorEntry } from '../../../src/domain/errors/index.ts';

const PARTS: readonly (readonly [title: string, of: (entry: ErrorEntry) => boolean])[] = [
  ['Tencent FaceID', ({ service, channel }) => service === 'faceid' && channel === 'both'],
  ['Any Tencent Cloud API', ({ service, channel }) => service === 'faceid' && channel === 'error'],
  ['COS', ({ service }) => service === 'cos'],
  ['Bestframe itself', ({ service }) => service === 'bestframe'],
];

export function errorsPage(): string {
  const classes = ERROR_CLASSES.map((name) => `| \`${name}\` | ${RETRIES[name]} |`);
  const parts = PARTS.map(([title, of]) => `## ${title}\n\n${ERROR_TABLE.filter(of).map(inMarkdown).join('\n')}`);
  return `# Errors

What each code means, what Bestframe does by itself, and what to do. \`bestframe errors CODE\` says the same in a terminal.
A pattern between slashes is matched against the vendor's message first; \`X.*\` stands for every code that begins so.

| class | what Bestframe does |
|---|---|
${classes.join('\n')}

${parts.join('\n\n')}
`;
}

function inMarkdown(entry: ErrorEntry): string {
  const decision = entry.decision === null ? '' : ` (decision \`${entry.decision}\`)`;
  const title = escaped(entry.title.replace(/\.$/, ''));
  return `- **\`${entry.match}\`** ${title} — \`${entry.class}\`${decision}, billed: ${entry.billed}.
  ${escaped(entry.explanation)} *${escaped(entry.advice)}*`;
}

/** What Markdown would take for HTML or emphasis: `<bucket>` would be gone from the page. */
function escaped(words: string): string {
  return words.replace(/[<*]/g, '\\$&');
}
