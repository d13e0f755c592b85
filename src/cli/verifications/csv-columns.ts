/** The columns of a CSV manifest. Unknown columns are refused by name, as unknown fields are in JSON Lines. */
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { RequestFields } from './build-request.ts';

type FieldName = Exclude<keyof RequestFields, 'metadata'>;

const FIELD_NAMES: readonly FieldName[] = [
  'key',
  'liveData',
  'video',
  'image',
  'action',
  'liveness',
  'validateData',
  'region',
  'upload',
  'lane',
  'threshold',
  'deadline',
  'webhook',
  'subject',
  'purpose',
  'consentRef',
  'consentVersion',
  'consentAt',
  'frame',
  'secondOpinion',
];
const ALIASES: Readonly<Record<string, FieldName>> = { similaritythreshold: 'threshold' };
const METADATA = /^metadata\.(.+)$/i;

/** For messages and help. */
export const COLUMN_NAMES = [...FIELD_NAMES, 'similarityThreshold', 'metadata.<name>'].join(', ');

/** Where the cells of a column go. The cells of an `unnamed` column must be empty. */
type Column = { readonly field: FieldName } | { readonly metadata: string } | 'unnamed';

/** @throws Failure INVALID_MANIFEST, naming the column that is unknown, repeated or missing. */
export function readHeader(header: readonly string[]): readonly Column[] {
  const unknown = header.filter((name) => name !== '' && columnOf(name) === null);
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name.slice(0, 64))).join(', ');
    throw headerFailure(
      `has an unknown column ${names}: correct its name or remove it. The columns are ${COLUMN_NAMES}`,
    );
  }
  const columns = header.map((name) => columnOf(name) ?? 'unnamed');
  const seen = new Set<string>();
  for (const [index, name] of header.entries()) {
    const column = JSON.stringify(columns[index]);
    if (name !== '' && seen.has(column)) throw headerFailure(`has the column "${name}" twice: remove one`);
    seen.add(column);
  }
  if (!columns.some((column) => column !== 'unnamed' && 'field' in column && column.field === 'key'))
    throw headerFailure(`has no column "key": add it. The columns are ${COLUMN_NAMES}`);
  return columns;
}

/** @returns null if a cell in an unnamed column has a value. */
export function readCells(columns: readonly Column[], cells: readonly string[]): RequestFields | null {
  const fields: Partial<Record<FieldName, string>> = {};
  const metadata: [string, string][] = [];
  for (const [index, column] of columns.entries()) {
    const cell = cells[index] ?? '';
    if (cell === '') continue;
    if (column === 'unnamed') return null;
    if ('field' in column) fields[column.field] = cell;
    else metadata.push([column.metadata, cell]);
  }
  return { ...fields, ...(metadata.length === 0 ? {} : { metadata: Object.fromEntries(metadata) }) };
}

/** Spreadsheets and people write `Live Data`, `live_data` and `LIVEDATA`. The name in `metadata.<name>` is not changed. */
function columnOf(name: string): Column | null {
  const [, entry] = METADATA.exec(name) ?? [];
  if (entry !== undefined) return { metadata: entry };
  const plain = name.toLowerCase().replace(/[\s_-]/g, '');
  const field = ALIASES[plain] ?? FIELD_NAMES.find((each) => each.toLowerCase() === plain);
  return field === undefined ? null : { field };
}

function headerFailure(problem: string) {
  return inputFailure(CODES.INVALID_MANIFEST, 'manifest', `the header of the manifest ${problem}`);
}
